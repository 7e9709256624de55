"""What an attempt has left behind when it ends: coroutines that go on, and threads that do not return."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

from tasks_app.errors import AttemptStopped, PermanentFailure
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support.registered import registered
from tests.support.watched import ended, submit

Start = Callable[..., Worker]


class LeavesACoroutine(TaskExecutable[NoParameters, NoParameters]):
    """Do two things at once, of which the first fails: `asyncio.gather` does not stop the second."""

    task_type = "TEST_LEAVES_A_COROUTINE"
    go_on: ClassVar[asyncio.Event]
    heard: ClassVar[list[str]] = []

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        async def fails() -> None:
            raise PermanentFailure("There is nothing.")

        async def goes_on() -> None:
            await self.go_on.wait()

            async def effect() -> None:
                self.heard.append("an effect was begun")

            try:
                await ctx.effect(effect)
            except AttemptStopped:
                self.heard.append("stopped")

        await asyncio.gather(goes_on(), fails())
        return NoParameters()


async def test_a_coroutine_that_an_attempt_has_left_behind_begins_no_effect(start: Start) -> None:
    with registered(LeavesACoroutine):
        LeavesACoroutine.go_on = asyncio.Event()
        LeavesACoroutine.heard.clear()
        start()
        await ended(await submit("TEST_LEAVES_A_COROUTINE"), "FAILED")
        LeavesACoroutine.go_on.set()
        await until(lambda: LeavesACoroutine.heard, what="the end of the coroutine")
        assert LeavesACoroutine.heard == ["stopped"]
