"""Regular work at common moments."""

import asyncio
import time

from tasks_app.worker.ticks import tick


async def test_who_begins_to_wait_at_different_moments_wakes_at_the_same() -> None:
    async def woken_after(delay: float) -> float:
        await asyncio.sleep(delay)
        await tick(1.0)
        return time.monotonic()

    await tick(1.0)  # from here on it is a whole second to the next
    began = time.monotonic()
    woken = await asyncio.gather(*(woken_after(delay) for delay in (0.0, 0.1, 0.3)))
    assert max(woken) - min(woken) < 0.09  # each waiting a second from its own beginning would be 0.3 apart
    assert min(woken) - began > 0.5
