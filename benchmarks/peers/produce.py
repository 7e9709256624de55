"""The producer of a peer, run in the peers' environment: `python -m benchmarks.peers.produce MODULE queue|submit|dispatch …`. Prints one JSON value."""

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks import record

WARM_UP = 20
DISPATCH_SECONDS = 20.0


async def queue(app: Any, task: str, number: str) -> None:
    """Queue many tasks."""
    await app.queue(task, int(number))


async def submit(app: Any, number: str) -> float:
    """Submit one at a time; return how many a second."""
    for _ in range(WARM_UP):
        await app.submit()
    start = time.monotonic()
    for _ in range(int(number)):
        await app.submit()
    return int(number) / (time.monotonic() - start)


async def dispatch(app: Any, number: str, pause_seconds: str) -> list[tuple[float, float]]:
    """Submit one at a time to idle workers, the next when the last has run; return the moments of the calls and of the acceptances.

    Fewer than so many where that would take longer than `DISPATCH_SECONDS`: some poll twice a second.
    """
    path = Path(os.environ[record.VARIABLE])
    times: list[tuple[float, float]] = []
    end = time.monotonic() + DISPATCH_SECONDS
    while len(times) < int(number) and time.monotonic() < end:
        done = len(times) + 1
        call = time.monotonic()
        await app.submit()
        times.append((call, time.monotonic()))
        deadline = time.monotonic() + 10
        while record.count(path) < done:
            if time.monotonic() > deadline:
                raise SystemExit(f"task {done} did not run")
            await asyncio.sleep(0.003)
        await asyncio.sleep(float(pause_seconds))
    return times


async def main(module: str, what: str, *arguments: str) -> None:
    """Connect, and do what was asked for."""
    app = importlib.import_module(f"benchmarks.peers.apps.{module}")
    if hasattr(app, "opened"):
        await app.opened()
    verbs: dict[str, Callable[..., Awaitable[Any]]] = {"queue": queue, "submit": submit, "dispatch": dispatch}
    print(json.dumps(await verbs[what](app, *arguments)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
