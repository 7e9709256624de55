"""A scripted AI server: real HTTP, OpenAI's chat completions, and a script that says what goes wrong when.

In a test process (a thread of its own; blocking methods, fit for sync and async tests alike)::

    with AIServer() as ai:                       # or AIServerProcess(): the same, as an own process
        os.environ["OPENAI_BASE_URL"] = ai.url   # "http://127.0.0.1:PORT/v1"
        ai.script({"contains": "The bridge", "steps": [{"do": "status", "status": 500, "times": 2}, {"do": "answer"}]})
        ...
        assert ai.stats()["byMarker"]["scene-17"] == 1
        assert ai.calls(contains="The bridge")[0]["outcome"] == "status 500"

As its own process (its URL is the first line it prints; it ends with SIGTERM or Ctrl-C)::

    python -m tests.support.ai_server --port 0 [--script FILE.json]

**What it answers** without a script: status 200 and a text made from the prompt alone, so that the same prompt always
gets the same text: `Answer 1a2b3c4d to scene-17: <the first words of the prompt>.` (the marker, if there is one, is
part of it). Streamed in three chunks with usage, or as one JSON object when the request does not ask for a stream.

**Markers** count effects per scene: put a word such as `scene-17` or `mark-abc` into the scene's text; the first match
in the prompt is recorded with the call. Another pattern: `POST /_script {"marker": "regex"}`.

**Control** (JSON)

GET /_calls[?contains=TEXT][&marker=M]
    The calls in order: {number, at, endedAt (epoch seconds), model, stream, prompt, marker, key, options, rule, step,
    outcome}. `key` is the bearer key, `options` the rest of the request's body; `outcome` is null while running, then
    "answered", "status 429", "cut", "disconnected" (the client went away), "released" (by a reset), ...
GET /_stats
    {calls, current, peak, byMarker {marker: calls}, answeredByMarker, byOutcome}
POST /_script
    A rule, a list of rules, or {"rules": [...], "default": {step}, "marker": "regex"}; replaces what was there.
POST /_release
    Lets every call that is held now have its answer.
POST /_reset
    Forgets calls, counters and script; lets go every call that hangs, stalls or is held.

**Rules.** The first rule whose `contains` (a substring, or a list of which any will do; "" matches all) is in the
prompt decides; its `steps` are used up in order, each `times` times (1), the last one for ever. `per` says what counts
separately: "rule" (default: all its calls share one sequence), "marker" or "prompt" ("each scene's first call fails")::

    {"contains": "", "per": "marker",
     "steps": [{"do": "status", "status": 429, "retry_after": 2}, {"do": "answer", "delay": 1}]}

**Steps.** `do` is one of

    answer        text (null: made from the prompt), chunks (3), usage (true), finish_reason ("stop")
    status        status, code, type, message, retry_after (seconds, or any text),
                  retry_after_date (seconds from now, sent as an HTTP date), location (for a redirect)
    content_filter, context_too_long, insufficient_quota, bad_key
                  the 400, 400, 429 and 401 that OpenAI sends for these
    empty         a complete answer without any text
    no_finish     a stream that ends properly, but without finish_reason
    no_usage      a complete answer, never a usage chunk
    broken_json   a chunk that is no JSON             (after `after_chunks`, default 1)
    error_event   an error object inside the stream   (likewise; `code`, `type`, `message`)
    cut           the connection is dropped           (likewise; 0: before any header is sent)
    stall         nothing more comes, connection open (likewise)
    linger        a complete answer, then nothing more, connection open: no usage, no end
    hang          not even headers
    hold          nothing until /_release, then the answer: how many are in flight is the test's choice, not the machine's
    raw           `body` as it is, with `status` and `content_type`
    events        `events`: a list of strings, each sent as one `data:` line (odd chunks)

and every step takes `delay` (seconds before the first byte) and `chunk_delay` (before each chunk). A script with a
misspelt word is answered with 400.
"""

import argparse
import asyncio
import http.client
import json
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.ai_script import Script, parse_script
from tests.support.ai_server_app import serve

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class AIControl:
    """Talks to a running server's control interface.

    Args:
        url: The base URL the server printed (it ends in /v1).
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def script(self, script: Mapping[str, Any] | list[Mapping[str, Any]]) -> None:
        """Replace the script: a rule, a list of rules, or a whole script. ValueError if it is not one."""
        self._ask("/_script", script)

    def release(self) -> None:
        """Let the calls that are held now have their answers."""
        self._ask("/_release", {})

    def reset(self) -> None:
        """Forget calls, counters and script; let hanging calls go."""
        self._ask("/_reset", {})

    def calls(self, *, contains: str = "", marker: str | None = None) -> list[dict[str, Any]]:
        """Return the calls in order, those whose prompt contains a text or that carry a marker."""
        query = {"contains": contains, **({"marker": marker} if marker is not None else {})}
        calls: list[dict[str, Any]] = self._ask(f"/_calls?{urllib.parse.urlencode(query)}")
        return calls

    def stats(self) -> dict[str, Any]:
        """Return the counters."""
        stats: dict[str, Any] = self._ask("/_stats")
        return stats

    def wait_until(self, holds: Callable[[dict[str, Any]], bool], *, timeout: float = 60) -> dict[str, Any]:
        """Return the counters as soon as `holds` is true of them; AssertionError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not holds(stats := self.stats()):
            assert time.monotonic() < deadline, f"the AI server never got there: {stats}"
            time.sleep(0.02)
        return stats

    def _ask(self, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=30)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                connection.request("POST", path, json.dumps(body).encode())
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer.decode())
        return json.loads(answer)


class AIServer(AIControl):
    """The server in a thread of this process, as a context manager."""

    def __init__(self, port: int = 0) -> None:
        super().__init__("")
        self._port = port
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="ai-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait(10)
        if not self.url:
            raise RuntimeError("the AI server did not start") from self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve(self._port, Script(), self._ready, self._stop)

        try:
            asyncio.run(main())
        except BaseException as exc:
            self._failure = exc
            self._started.set()

    def _ready(self, url: str) -> None:
        self.url = url
        self._started.set()


class AIServerProcess(AIControl):
    """The server as an own process, as a context manager: for load, and for clients that get killed."""

    def __init__(self, port: int = 0) -> None:
        super().__init__("")
        self._port = port

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.ai_server", "--port", str(self._port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        if not url:
            self.process.stdout.close()
            raise RuntimeError(f"the AI server did not start (exit code {self.process.wait()})")
        self.url = url
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()


def allow_many_sockets() -> None:
    """Raise this process's limit of open files to what the system allows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def main(port: int, script: Script) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(port, script, lambda url: print(url, flush=True), stop)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scripted AI server.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--script", type=Path, help="a JSON file, as for POST /_script")
    arguments = parser.parse_args()
    allow_many_sockets()
    asyncio.run(main(arguments.port, parse_script(arguments.script.read_bytes()) if arguments.script else Script()))
