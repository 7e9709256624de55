"""Regular work at common moments: an idle process that wakes for one duty at a time wakes several times as often, and pays for each."""

import asyncio
import os
import time

_SPREAD = 0.25  # seconds over which the processes of a machine are spread: they need not all ask at once


async def tick(seconds: float) -> None:
    """Sleep until this process's next tick of that period."""
    phase = os.getpid() * 0.618 % 1 * _SPREAD
    await asyncio.sleep(seconds - (time.monotonic() - phase) % seconds)
