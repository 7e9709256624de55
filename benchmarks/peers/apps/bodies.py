"""What the tasks do, for every peer: nothing, or a wait of one second."""

import asyncio
import time

from benchmarks.record import note

WAIT_SECONDS = 1.0


def nothing() -> None:
    """Return at once."""
    note(time.monotonic())


def sleep() -> None:
    """Wait in a thread, a process or, with gevent, a greenlet."""
    began = time.monotonic()
    time.sleep(WAIT_SECONDS)
    note(began)


async def sleep_on_the_loop() -> None:
    """Wait on an event loop."""
    began = time.monotonic()
    await asyncio.sleep(WAIT_SECONDS)
    note(began)
