"""What an attempt writes when it is over: after a cancellation, after its lease was taken, and when its task is full."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from tasks_app import operations
from tasks_app.conf import MAX_ATTEMPT_RECORDS, MAX_RESULT_BYTES
from tasks_app.documents import TASKS
from tasks_app.errors import LeaseLost
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable, TaskModel
from tasks_app.retry import RetryPolicy
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support.registered import registered
from tests.support.stored import Db
from tests.support.watched import ended, stored, submit

Start = Callable[..., Worker]


class Stubborn(TaskExecutable[NoParameters, NoParameters]):
    """Write all it can when it is cancelled."""

    task_type = "TEST_STUBBORN"
    said: ClassVar[list[str]] = []

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await ctx.progress(percentage=99, message="last words")
            try:
                await ctx.save_draft({"text": "last words"})
            except LeaseLost:
                self.said.append("refused")
            raise
        return NoParameters()


async def test_the_last_writes_of_a_coroutine_that_lost_its_lease_change_nothing(start: Start, db: Db) -> None:
    with registered(Stubborn):
        Stubborn.said.clear()
        start(lease_seconds=1.5)
        task_id = await submit("TEST_STUBBORN")
        await ended(task_id, "RUNNING")
        await asyncio.sleep(0.1)
        await db[TASKS].update_one({"_id": task_id}, {"$set": {"lease.token": "a successor's", "lease.owner": "another"}})
        before = await stored(task_id)
        await until(lambda: Stubborn.said == ["refused"], what="the refusal of its draft")
        await asyncio.sleep(0.5)  # its progress would have been flushed
        assert await stored(task_id) == before


async def test_the_last_writes_of_a_cancelled_coroutine_are_over_when_its_task_has_ended(start: Start, db: Db) -> None:
    with registered(Stubborn):
        start()
        task_id = await submit("TEST_STUBBORN")
        await ended(task_id, "RUNNING")
        await asyncio.sleep(0.1)
        await operations.cancel(task_id, user_id="alice")
        after = await ended(task_id, "CANCELLED")
        await asyncio.sleep(0.5)
        assert await stored(task_id) == after
        assert [entry["outcome"] for entry in after["attempts"]] == ["cancelled"]


class Much(TaskModel):
    """As long as a submission may be."""

    text: str


class Fills(TaskExecutable[Much, NoParameters]):
    """Store the largest draft there is, then fail with an error of five megabytes."""

    task_type = "TEST_FILLS"
    retry = RetryPolicy(max_attempts=1, first_delay=timedelta(0), max_delay=timedelta(0))

    async def execute(self, parameters: Much, ctx: TaskContext) -> NoParameters:
        await ctx.save_draft({"text": "d" * (MAX_RESULT_BYTES - 100)})
        raise RuntimeError("e" * 5_000_000)


async def test_a_task_that_is_as_full_as_it_can_be_records_its_own_error(start: Start, db: Db) -> None:
    with registered(Fills):
        start()
        task_id = await submit("TEST_FILLS", text="p" * 60_000)
        task: Any = await ended(task_id, "FAILED")
        full = {**task["attempts"][0], "error": {"code": "c" * 100, "message": "m" * 2_000, "traceback": "t" * 16_100}}
        await db[TASKS].update_one({"_id": task_id}, {"$set": {"attempts": [full] * MAX_ATTEMPT_RECORDS}})

        await operations.requeue(task_id, user_id="alice")

        async def failed_again() -> bool:
            now = await stored(task_id)
            return now["status"] == "FAILED"

        await until(failed_again, what="the second failure")
    after = await stored(task_id)
    assert after["errorInfo"]["code"] == "unexpected_error"
    assert len(after["attempts"]) == MAX_ATTEMPT_RECORDS
    assert after["attempts"][-1]["outcome"] == "failed"
    assert after["attempts"][-1]["token"] != full["token"]
