"""The worker itself, on the test's own event loop: what becomes of the work it is given."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase
from structlog.testing import capture_logs

from ainoval import mongo
from tasks_app import operations
from tasks_app.documents import TASKS
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable
from tasks_app.retry import RetryPolicy
from tasks_app.worker import attempt as attempt_module
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support.registered import registered
from tests.support.submissions import store_many
from tests.support.watched import ended, stored, submit

Json = dict[str, Any]
Db = AsyncDatabase[Json]
Start = Callable[..., Worker]


async def test_a_task_completes_with_its_result_and_one_attempt(start: Start) -> None:
    start()
    task = await ended(await submit("TEST_NOOP"), "COMPLETED")
    assert task["result"]["ranOn"] == "loop"
    assert [(entry["attempt"], entry["outcome"]) for entry in task["attempts"]] == [(1, "completed")]
    assert "lease" not in task
    assert task["progress"]["percentage"] == 100
    assert task["createdAt"] <= task["startedAt"] <= task["completedAt"] < task["expireAt"]


async def test_hundreds_of_tasks_overlap_on_one_loop_of_one_process(start: Start, db: Db) -> None:
    ids = await store_many(db, "TEST_SLEEP", 300, seconds=1.0)
    start()

    async def all_done() -> bool:
        return await db[TASKS].count_documents({"status": "COMPLETED"}) == 300

    await until(all_done)
    tasks = await db[TASKS].find({"_id": {"$in": ids}}).to_list(None)
    assert {task["result"]["ranOn"] for task in tasks} == {"loop"}
    assert len({task["result"]["pid"] for task in tasks}) == 1
    one_after_the_other = sum((task["completedAt"] - task["startedAt"]).total_seconds() for task in tasks)
    together = (max(task["completedAt"] for task in tasks) - min(task["startedAt"] for task in tasks)).total_seconds()
    assert one_after_the_other > 20 * together


async def test_a_plain_def_runs_in_the_thread_pool(start: Start) -> None:
    start()
    task = await ended(await submit("TEST_THREAD", seconds=0.05), "COMPLETED")
    assert task["result"]["ranOn"] == "thread"
    assert task["result"]["thread"].startswith("task")


async def test_an_error_is_retried_and_its_text_is_kept_from_the_user(start: Start) -> None:
    start()
    task = await ended(await submit("TEST_FLAKY", failures=1), "COMPLETED")
    assert [(entry["attempt"], entry["outcome"]) for entry in task["attempts"]] == [(1, "retry"), (2, "completed")]
    assert "/etc/passwd" not in task["attempts"][0]["error"]["message"]
    assert "/etc/passwd" in task["attempts"][0]["error"]["traceback"]


async def test_the_last_attempt_fails_the_task_and_counts_the_retries(start: Start) -> None:
    start()
    task = await ended(await submit("TEST_FLAKY", failures=9), "FAILED")
    assert [entry["outcome"] for entry in task["attempts"]] == ["retry", "retry", "failed"]
    assert task["errorInfo"]["retryCount"] == 2
    assert task["errorInfo"]["code"] == "unexpected_error"


async def test_a_permanent_failure_is_not_tried_again(start: Start) -> None:
    start()
    task = await ended(await submit("TEST_FLAKY", failures=9, code="permanent"), "FAILED")
    assert (task["attempt"], task["errorInfo"]["code"], task["errorInfo"]["retryable"]) == (1, "cannot_work", False)


async def test_an_attempt_that_takes_too_long_is_stopped(start: Start) -> None:
    start()
    task = await ended(await submit("TEST_SLOW", seconds=5), "FAILED")
    assert [entry["outcome"] for entry in task["attempts"]] == ["timeout", "timeout"]
    assert task["errorInfo"]["code"] == "attempt_timeout"


@pytest.mark.alone
@pytest.mark.parametrize("task_type", ["TEST_SLEEP", "TEST_THREAD"])
async def test_a_running_task_is_cancelled_within_a_second(start: Start, task_type: str) -> None:
    start()
    task_id = await submit(task_type, seconds=20)
    await ended(task_id, "RUNNING")
    await asyncio.sleep(0.1)
    asked = time.monotonic()
    assert (await operations.cancel(task_id, user_id="alice"))["status"] == "CANCELLING"
    task = await ended(task_id, "CANCELLED")
    assert time.monotonic() - asked < 1.0
    assert task["attempts"][-1]["outcome"] == "cancelled"


async def test_progress_is_stored_now_and_then_and_the_last_report_always(start: Start) -> None:
    start(progress_interval=0.5)
    task_id = await submit("TEST_PROGRESS", steps=20, seconds=0.05)
    seen: set[int] = set()

    async def done() -> bool:
        task = await stored(task_id)
        seen.add(task["progress"]["current"] or 0)
        return task["status"] == "COMPLETED"

    await until(done)
    assert (await stored(task_id))["progress"] == {"percentage": 100, "message": "step 20", "current": 20, "total": 20}
    assert seen - {0, 20}, "no report was stored while the work went on"
    assert len(seen) < 12


async def test_too_large_a_result_is_an_error_that_the_task_can_record(start: Start) -> None:
    start()
    task = await ended(await submit("TEST_BIG", size=2 * 1024 * 1024), "FAILED")
    assert task["errorInfo"]["code"] == "result_too_large"


@pytest.mark.parametrize(("failing", "status"), [(0, "COMPLETED"), (1, "COMPLETED_WITH_ERRORS"), (3, "FAILED")])
async def test_a_batch_waits_without_a_slot_and_ends_as_its_children_did(start: Start, failing: int, status: str) -> None:
    start()
    parent = await submit("TEST_FAMILY", count=3, seconds=1.0, failing=failing)
    if not failing:
        await until(lambda: mongo.database()[TASKS].count_documents({"_id": parent, "status": "RUNNING", "children.total": 3, "lease": {"$exists": False}}))
    task = await ended(parent, status)
    assert task["result"] == {"completed": 3 - failing, "other": failing}
    if failing == 3:
        assert task["errorInfo"]["code"] == "all_children_failed"


async def test_a_cancelled_batch_takes_its_children_with_it(start: Start, db: Db) -> None:
    start()
    parent = await submit("TEST_FAMILY", count=5, seconds=20)
    await until(lambda: db[TASKS].count_documents({"parentId": parent, "status": "RUNNING"}))
    await operations.cancel(parent, user_id="alice")
    task = await ended(parent, "CANCELLED")
    assert task["result"]["other"] == 5
    assert await db[TASKS].count_documents({"parentId": parent, "status": "CANCELLED"}) == 5


async def test_draining_hands_running_work_back_at_no_cost(start: Start, db: Db) -> None:
    worker = start(shutdown_grace=0.1)
    task_id = await submit("TEST_SLEEP", seconds=30)
    await ended(task_id, "RUNNING")
    worker.drain()
    task = await ended(task_id, "QUEUED")
    assert (task["attempt"], task["crashCount"], task["attempts"][-1]["outcome"]) == (0, 0, "released")


async def test_an_attempt_whose_lease_was_taken_writes_nothing(start: Start, db: Db) -> None:
    worker = start(lease_seconds=30.0)
    task_id = await submit("TEST_SLEEP", seconds=1.5)
    await ended(task_id, "RUNNING")
    await db[TASKS].update_one({"_id": task_id}, {"$set": {"lease.token": "somebody else's", "lease.owner": "other"}})
    before = await stored(task_id)
    await until(lambda: not worker.attempts, what="the end of the attempt")
    assert await stored(task_id) == before


async def test_a_users_limit_holds_and_every_task_gets_its_turn(start: Start, db: Db) -> None:
    start(max_running_per_user=3)
    for _ in range(12):
        await submit("TEST_SLEEP", seconds=0.1)
    most = 0

    async def all_done() -> bool:
        nonlocal most
        running = [task async for task in db[TASKS].find({"status": "RUNNING", "attempts": []}, {"startedAt": 1})]
        most = max(most, len(running))
        return await db[TASKS].count_documents({"status": "COMPLETED"}) == 12

    await until(all_done)
    assert 1 <= most <= 3


class Blocks(TaskExecutable[NoParameters, NoParameters]):
    """Hold the event loop."""

    task_type = "TEST_BLOCKS"
    timeout = timedelta(seconds=10)

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        time.sleep(0.2)  # noqa: ASYNC251 - the mistake that the worker must name
        return NoParameters()


async def test_every_line_of_a_tasks_life_says_whose_it_is_and_a_blocked_loop_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with registered(Blocks), capture_logs() as lines:
        # A logger that has written before keeps its processors: a fresh one is captured.
        monkeypatch.setattr(attempt_module, "log", __import__("structlog").get_logger())
        monkeypatch.setattr(attempt_module, "_informs", lambda: True)
        start()
        task_id = await submit("TEST_BLOCKS")
        other = await submit("TEST_FLAKY", tag="a secret parameter", failures=1)
        await ended(task_id, "COMPLETED")
        await ended(other, "COMPLETED")
        await until(lambda: sum(line["event"] == "attempt_ended" for line in lines) >= 3)
    of_attempts = [line for line in lines if line["event"].startswith(("attempt_", "loop_"))]
    assert {"attempt_started", "attempt_ended", "attempt_retries", "loop_blocked"} <= {line["event"] for line in of_attempts}
    for line in of_attempts:
        assert {"task_id", "task_type", "user_id", "attempt", "worker"} <= set(line)
        assert "a secret parameter" not in repr(line)
    assert task_id in {line["task_id"] for line in of_attempts if line["event"] == "loop_blocked"}


async def test_progress_and_drafts_that_cannot_be_stored_end_neither_the_worker_nor_other_tasks(start: Start) -> None:
    class Reports(TaskExecutable[NoParameters, NoParameters]):
        """Report what MongoDB cannot store."""

        task_type = "TEST_ODD_REPORTS"

        async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
            await ctx.progress(message="half a pair: \ud800" + "x" * 600)
            await asyncio.sleep(0.3)
            try:
                await ctx.progress(current=2**70)
            except ValueError:
                await ctx.save_draft({"text": "\udfff"})
            return NoParameters()

    with registered(Reports):
        worker = start()
        other = await submit("TEST_SLEEP", seconds=1.0)
        task = await ended(await submit("TEST_ODD_REPORTS"), "FAILED")
        assert task["errorInfo"]["code"] == "bad_draft"
        assert task["progress"]["message"] == "half a pair: ?" + "x" * 486 + " [cut, 614 characters in all]"
        await ended(other, "COMPLETED")
        assert not worker._draining.is_set()


async def test_a_later_attempt_finds_the_draft_exactly_as_it_was_saved(start: Start) -> None:
    found: list[Any] = []

    class Drafts(TaskExecutable[NoParameters, NoParameters]):
        """Save a draft and fail; then look at it."""

        task_type = "TEST_DRAFTS"
        retry = RetryPolicy(max_attempts=2, first_delay=timedelta(milliseconds=50))

        async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
            found.append(ctx.draft)
            if ctx.draft is None:
                await ctx.save_draft({"text": "words", "token": "the author's own"})
                raise RuntimeError("after the draft")
            return NoParameters()

    with registered(Drafts):
        start()
        await ended(await submit("TEST_DRAFTS"), "COMPLETED")

    assert found == [None, {"text": "words", "token": "the author's own"}]
