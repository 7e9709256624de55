"""What an attempt writes when it is over: after a cancellation, after its lease was taken, and when its task is full."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar

import pytest

from ainoval.errors import WorkError
from tasks_app import lifecycle, operations
from tasks_app.conf import MAX_ATTEMPT_RECORDS, MAX_RESULT_BYTES
from tasks_app.documents import TASKS
from tasks_app.errors import LeaseLost, PermanentFailure
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable, TaskModel
from tasks_app.retry import RetryPolicy
from tasks_app.worker.outbox import Outbox, Verdict
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support import stored as stored_tasks
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


class Anything(TaskModel):
    """What nobody has thought of."""

    value: Any = None


class Code(Enum):
    """Error codes that are no strings."""

    EMPTY = "empty"


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


async def reports_a_decimal(ctx: TaskContext) -> Any:
    await ctx.progress(current=Decimal(1), total=Decimal(2))  # type: ignore[arg-type]
    await asyncio.sleep(0.3)  # while it is stored


async def counts_too_many_tokens(ctx: TaskContext) -> Any:
    ctx.add_usage(2**70, 1)


async def raises_a_code_that_is_no_string(ctx: TaskContext) -> Any:
    raise PermanentFailure("There is nothing.", code=Code.EMPTY)  # type: ignore[arg-type]


async def raises_a_list_as_its_code(ctx: TaskContext) -> Any:
    raise PermanentFailure("There is nothing.", code=["empty"])  # type: ignore[arg-type]


async def asks_to_wait_for_a_timedelta(ctx: TaskContext) -> Any:
    raise WorkError("Not now.", retryable=False, retry_after=timedelta(seconds=1))  # type: ignore[arg-type]


async def returns_what_is_nested_too_deeply(ctx: TaskContext) -> Any:
    return nested(220)


async def saves_what_is_nested_too_deeply(ctx: TaskContext) -> Any:
    await ctx.save_draft({"value": nested(220)})


@pytest.mark.parametrize(
    ("work", "status", "code"),
    [
        (reports_a_decimal, "COMPLETED", None),
        (counts_too_many_tokens, "FAILED", "unexpected_error"),
        (raises_a_code_that_is_no_string, "FAILED", "unexpected_error"),
        (raises_a_list_as_its_code, "FAILED", "unexpected_error"),
        (asks_to_wait_for_a_timedelta, "FAILED", "unexpected_error"),
        (returns_what_is_nested_too_deeply, "FAILED", "bad_result"),
        (saves_what_is_nested_too_deeply, "FAILED", "bad_draft"),
    ],
)
async def test_what_cannot_be_stored_is_its_own_tasks_failure_and_not_its_workers(
    start: Start, db: Db, work: Callable[[TaskContext], Awaitable[Any]], status: str, code: str | None
) -> None:
    class Odd(TaskExecutable[NoParameters, Anything]):
        """Do something odd."""

        task_type = "TEST_ODD"
        retry = RetryPolicy(max_attempts=1)

        async def execute(self, parameters: NoParameters, ctx: TaskContext) -> Anything:
            return Anything(value=await work(ctx))

    with registered(Odd):
        worker = start()
        other = await submit("TEST_SLEEP", seconds=1.0)
        odd = await submit("TEST_ODD")

        async def over() -> bool:
            return worker._draining.is_set() or await db[TASKS].count_documents({"completedAt": {"$ne": None}}) == 2

        await until(over, what="the end of both")
        assert not worker._draining.is_set()
        assert (await stored(other))["status"] == "COMPLETED"
        task = await stored(odd)
        assert (task["status"], (task.get("errorInfo") or {}).get("code")) == (status, code)


async def test_a_report_of_progress_is_written_beside_the_draft_that_follows_it(db: Db) -> None:
    task = await stored_tasks.running(db)
    task_id, token = task["_id"], task["lease"]["token"]
    outbox = Outbox(db)
    outbox.report(lifecycle.report_progress(task_id, token, lifecycle.NO_PROGRESS | {"percentage": 50}, stored_tasks.now()))
    writing = asyncio.create_task(outbox.run())

    assert await outbox.write(lifecycle.save_draft(task_id, token, {"text": "words"})) is Verdict.WRITTEN

    assert (await stored(task_id))["progress"]["percentage"] == 50
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
