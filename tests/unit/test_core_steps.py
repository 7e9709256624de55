"""The steps of a coroutine are timed: the ordinary ones, and those that begin with an exception."""

import asyncio
import time

from tasks_app.worker.steps import timed


async def _step_of(seconds: float, after: asyncio.Future[None]) -> None:
    try:
        await after
    except ValueError:
        pass
    time.sleep(seconds)  # noqa: ASYNC251 - the mistake that is to be noticed


async def _slow_steps(seconds: float, error: Exception | None) -> list[float]:
    slow: list[float] = []
    after: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.get_running_loop().create_task(timed(_step_of(seconds, after), slow.append))
    await asyncio.sleep(0)
    after.set_exception(error) if error else after.set_result(None)
    await task
    return slow


async def test_a_step_that_blocks_the_loop_is_noticed_however_it_began() -> None:
    for error in (None, ValueError()):
        [taken] = await _slow_steps(0.15, error)
        assert taken >= 0.15
        assert not await _slow_steps(0.0, error)
