"""What an attempt has left behind when it ends: coroutines that go on, and threads that do not return."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import ClassVar

from tasks_app.errors import AttemptStopped, PermanentFailure
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable
from tasks_app.retry import RetryPolicy
from tasks_app.worker.worker import STUCK_THREAD_SECONDS, Worker
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


class LeavesAThread(TaskExecutable[NoParameters, NoParameters]):
    """Wait in a thread for what does not come before the time-out."""

    task_type = "TEST_LEAVES_A_THREAD"
    timeout = timedelta(seconds=0.3)
    retry = RetryPolicy(max_attempts=1)
    comes: ClassVar[threading.Event]

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        await ctx.in_thread(self.comes.wait)
        return NoParameters()


async def test_a_worker_whose_threads_are_stuck_in_calls_of_coroutines_is_replaced(start: Start) -> None:
    with registered(LeavesAThread):
        LeavesAThread.comes = threading.Event()
        worker = start(threads=2)
        try:
            for _ in range(2):
                task = await ended(await submit("TEST_LEAVES_A_THREAD"), "FAILED")
                assert task["errorInfo"]["code"] == "attempt_timeout"
            waits = await submit("TEST_THREAD", seconds=0.01)
            await ended(waits, "RUNNING")
            await until(worker._draining.is_set, seconds=STUCK_THREAD_SECONDS + 5.0, what="a worker that drains")
            await ended(waits, "QUEUED")  # for another worker
        finally:
            LeavesAThread.comes.set()


class LooksPastTheEnd(TaskExecutable[NoParameters, NoParameters]):
    """Ask an iterator in a thread for what it has not."""

    task_type = "TEST_LOOKS_PAST_THE_END"
    timeout = timedelta(seconds=10)
    retry = RetryPolicy(max_attempts=1)

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        nothing: Iterator[str] = iter(())
        await ctx.in_thread(next, nothing)
        return NoParameters()


async def test_a_call_in_a_thread_that_raises_stop_iteration_is_over_at_once(start: Start) -> None:
    with registered(LooksPastTheEnd):
        start()
        task = await ended(await submit("TEST_LOOKS_PAST_THE_END"), "FAILED")
        assert task["errorInfo"]["code"] == "unexpected_error"
