"""A load of HTTP requests: some kept-alive connections, each sending its next request when it has the last answer. Plain asyncio, so that it costs little."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Requests = Callable[[], bytes]


@dataclass
class Load:
    """What was answered within the measured time.

    Attributes:
        latencies: Seconds of each request that was answered.
        accepted: Answers with the wanted status over the whole load, warm-up included.
    """

    seconds: float
    latencies: list[float] = field(default_factory=list)
    accepted: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds


def request(method: str, target: str, token: str, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Accept: application/json"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def always(sent: bytes) -> Requests:
    """Return what sends the same request again and again."""
    return lambda: sent


async def run(port: int, connections: Sequence[Requests], status: int, *, seconds: float, warm_up: float = 1.0) -> Load:
    """Send requests for a warm-up and then for the measured time.

    Args:
        connections: For each one what it sends next.
        status: What every answer must have.

    Raises:
        SystemExit: An answer had another status.
    """
    load = Load(seconds)
    begin = time.monotonic() + warm_up
    await asyncio.gather(*(_connection(port, requests, status, load, begin, begin + seconds) for requests in connections))
    return load


async def _connection(port: int, requests: Requests, status: int, load: Load, begin: float, end: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (sent := time.monotonic()) < end:
            writer.write(requests())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            if int(head[9:12]) != status:
                raise SystemExit(f"an answer was {head[9:12].decode()}: {body[:500]!r}")
            answered = time.monotonic()
            load.accepted += 1
            if sent >= begin and answered <= end:
                load.latencies.append(answered - sent)
    finally:
        writer.close()


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[start : lowered.index(b"\r\n", start)])
