"""Clients of the API that submit as fast as they are answered, and keep what they were told."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.load import _length, request
from benchmarks.server import Writer

REFUSED_SECONDS = 0.1  # a client that was told 503 comes back


@dataclass
class Told:
    """What the clients were told: the ids that were accepted, and how often each status; `broken` are requests without a whole answer."""

    accepted: list[str] = field(default_factory=list)
    accepted_at: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def rate(self, since: float, until: float) -> float:
        """Return the accepted submissions a second between two moments of the monotonic clock."""
        return sum(since <= at < until for at in self.accepted_at) / (until - since)


async def submit_until(stop: asyncio.Event, port: int, writers: list[Writer], milliseconds: int, told: Told) -> None:
    """Run one client for each writer until told to stop; each ends with a whole answer."""
    await asyncio.gather(*(_client(stop, port, writer, milliseconds, told) for writer in writers))


async def _client(stop: asyncio.Event, port: int, writer: Writer, milliseconds: int, told: Told) -> None:
    sent = request("POST", "/api/tasks/TORTURE_WORK", writer.token, json.dumps({"milliseconds": milliseconds}).encode())
    while not stop.is_set():
        try:
            reader, out = await asyncio.open_connection("127.0.0.1", port)
            try:
                while not stop.is_set():
                    out.write(sent)
                    head = await reader.readuntil(b"\r\n\r\n")
                    body = await reader.readexactly(_length(head))
                    status = int(head[9:12])
                    told.statuses[status] += 1
                    if status == 202:
                        told.accepted.append(json.loads(body)["taskId"])
                        told.accepted_at.append(time.monotonic())
                    else:
                        await asyncio.sleep(REFUSED_SECONDS)
            finally:
                out.close()
        except (OSError, asyncio.IncompleteReadError) as exc:
            told.broken.append(f"{type(exc).__name__}: {exc}")
            await asyncio.sleep(REFUSED_SECONDS)
