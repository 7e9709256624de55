"""What is counted of endings: by whoever writes them, each once, in every length of period."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from tasks_app import bulk, families, maintenance, operations, periods, tally
from tasks_app.conf import task_settings
from tasks_app.documents import PERIODS, TASKS
from tasks_app.states import TaskStatus
from tasks_app.tally import Tally
from tasks_app.worker.claims import Claimer
from tasks_app.worker.limits import Limits
from tasks_app.worker.worker import Identity, Worker
from tests.conftest import until
from tests.support import stored

Json = dict[str, Any]
Db = AsyncDatabase[Json]


@pytest.fixture
async def worker(db: Db) -> AsyncIterator[Callable[[], Any]]:
    """`await worker()` runs one worker until it has nothing left to do, and ends it."""

    async def run(*, tasks: int) -> None:
        settings = dataclasses.replace(task_settings(), shutdown_grace=5.0, max_running_per_user=0)
        made = Worker(Identity.new("test"), settings, beat=lambda: None, orphaned=lambda: False)
        running = asyncio.create_task(made.run())
        ended = {"status": {"$in": stored.ENDED}}

        async def all_ended() -> bool:
            return await db[TASKS].count_documents(ended) == tasks

        try:
            await until(all_ended)
        finally:
            made.drain()
            await asyncio.wait_for(running, 10)

    yield run


async def sums(over: periods.Range = periods.HOUR) -> dict[str, periods.Sums]:
    # Asked for anew: a worker closes its loop's client when it ends.
    return periods.by_type(await periods.read(mongo.database(), over, datetime.now(UTC)))


async def submit(task_type: str, **parameters: Any) -> str:
    return (await operations.submit("alice", task_type, parameters)).task_id


async def test_a_worker_counts_how_its_attempts_and_their_tasks_ended(worker: Any, db: Db) -> None:
    await submit("TEST_NOOP")
    await submit("TEST_NOOP")
    await submit("TEST_FLAKY", failures=1)
    await submit("TEST_FLAKY", failures=9, code="permanent")
    await worker(tasks=4)
    for over in periods.RANGES.values():
        counted = await sums(over)
        assert counted["TEST_NOOP"].ended == {"COMPLETED": 2}
        assert counted["TEST_NOOP"].attempts == {"completed": 2}
        assert counted["TEST_FLAKY"].ended == {"COMPLETED": 1, "FAILED": 1}
        assert counted["TEST_FLAKY"].attempts == {"retry": 1, "completed": 1, "failed": 1}
        assert counted["TEST_FLAKY"].errors == {"unexpected_error": 1, "cannot_work": 1}


async def test_waits_and_durations_are_counted_each_by_its_own_clock(worker: Any, db: Db) -> None:
    await db[TASKS].insert_one(stored.task("alice", "TEST_SLEEP", parameters={"seconds": 0.4}, createdAt=stored.now() - timedelta(hours=2)))
    await worker(tasks=1)
    counted = (await sums())["TEST_SLEEP"]
    assert counted.wait_quantile(0.5) == pytest.approx(7_200, rel=0.2)
    assert counted.run_quantile(0.5) == pytest.approx(0.4, rel=0.3)
    assert counted.wait.total() == counted.run.total() == 1


async def test_a_batch_is_counted_once_when_its_last_task_has_ended(worker: Any, db: Db) -> None:
    await submit("TEST_FAMILY", count=3, seconds=0.01, failing=1)
    await worker(tasks=4)
    counted = await sums()
    assert counted["TEST_FAMILY"].ended == {"COMPLETED_WITH_ERRORS": 1}
    assert counted["TEST_FAMILY"].wait.total() == counted["TEST_FAMILY"].run.total() == 1
    assert counted["TEST_SLEEP"].ended == {"COMPLETED": 2}
    assert counted["TEST_FLAKY"].ended == {"FAILED": 1}


async def test_a_batch_of_which_all_failed_is_counted_with_its_error(worker: Any, db: Db) -> None:
    await submit("TEST_FAMILY", count=2, failing=2)
    await worker(tasks=3)
    counted = (await sums())["TEST_FAMILY"]
    assert (counted.ended, counted.errors) == ({"FAILED": 1}, {"all_children_failed": 1})


async def test_tokens_are_counted_with_the_profile_they_were_paid_to(worker: Any, db: Db) -> None:
    held = await stored.running(db, task_type="TEST_NOOP", resource="ai:default")
    record = stored.record(held, prompt_tokens=700, completion_tokens=50)
    made = Tally(db)
    made.attempt(held, stored.lifecycle.complete(held["_id"], record, result={}, progress={}, expire_at=None))
    await made.flush()
    counted = periods.by_resource(await periods.read(db, periods.DAY, datetime.now(UTC)))["ai:default"]
    assert counted.tokens == {"prompt": 700, "completion": 50}


async def test_cancelling_what_waits_is_counted_where_it_is_done(db: Db) -> None:
    one = await stored.queued(db, resource="ai:default")
    many = [await stored.queued(db, task_type="TEST_SLEEP") for _ in range(5)]
    parent = await stored.awaiting(db, total=2)
    children = [await stored.queued(db, task_type="TEST_NOOP", parent_id=parent["_id"]) for _ in range(2)]
    await operations.cancel(one["_id"], user_id=None)
    await bulk.cancel(db, bulk.Selection(task_ids=tuple(task["_id"] for task in many)))
    await operations.cancel(parent["_id"], user_id=None)
    await families.roll_up(db)
    counted = await sums()
    assert counted["TEST_NOOP"].ended == {"CANCELLED": 1 + len(children)}
    assert counted["TEST_SLEEP"].ended == {"CANCELLED": 5}
    assert counted["TEST_FAMILY"].ended == {"CANCELLED": 1}
    assert list(periods.by_resource(await periods.read(db, periods.HOUR, datetime.now(UTC)))) == ["ai:default"]


async def test_asking_for_a_cancellation_is_no_end(db: Db) -> None:
    held = await stored.running(db)
    await operations.cancel(held["_id"], user_id=None)
    assert await db[PERIODS].count_documents({}) == 0


async def test_children_that_are_cancelled_when_they_are_claimed_are_counted(db: Db) -> None:
    parent = await stored.in_state(db, TaskStatus.FAILED, task_type="TEST_FAMILY")
    await stored.queued(db, parent_id=parent["_id"])
    claimed = await Claimer(db, "test", Limits(0, 0, {}, {}), task_settings()).claim(5)
    assert claimed.tasks == []
    assert (await sums())["TEST_NOOP"].ended == {"CANCELLED": 1}


async def test_recovery_counts_losses_and_the_ends_it_makes(db: Db) -> None:
    await stored.running(db, lease_seconds=-1.0)
    await stored.running(db, lease_seconds=-1.0, crashCount=2)
    cancelling = await stored.running(db, lease_seconds=-1.0, task_type="TEST_SLEEP")
    await stored.change(db, stored.lifecycle.request_cancel({"_id": cancelling["_id"]}))
    alive = await stored.running(db)
    assert await maintenance.recover_lost(db) == 3
    counted = await sums()
    assert counted["TEST_NOOP"].ended == {"INTERRUPTED": 1}
    assert counted["TEST_NOOP"].attempts == {"lost": 2}
    assert counted["TEST_NOOP"].errors == {"worker_lost": 2}
    assert counted["TEST_SLEEP"].ended == {"CANCELLED": 1}
    assert (await stored.read(db, alive["_id"]))["status"] == "RUNNING"
    assert await maintenance.recover_lost(db) == 0
    assert (await sums())["TEST_NOOP"].attempts == {"lost": 2}


async def test_a_code_that_no_field_can_be_named_after_is_counted_all_the_same(db: Db) -> None:
    for code in ("a.b", "$set", "", "ü" * 3, "x" * 65, "plain_code"):
        await tally.record(db, [tally.Ending("TEST_NOOP", None, TaskStatus.FAILED, code=code)])
    counted = (await sums())["TEST_NOOP"]
    assert counted.errors == {"other": 5, "plain_code": 1}
    assert counted.ended == {"FAILED": 6}


async def test_workers_that_count_at_once_add_up(db: Db) -> None:
    endings = [tally.Ending("TEST_NOOP", None, TaskStatus.COMPLETED)]
    await asyncio.gather(*(tally.record(db, endings) for _ in range(30)))
    assert (await sums())["TEST_NOOP"].ended == {"COMPLETED": 30}


async def test_what_could_not_be_written_is_kept_for_the_next_time(db: Db) -> None:
    from pymongo import AsyncMongoClient

    async with AsyncMongoClient("mongodb://127.0.0.1:9", serverSelectionTimeoutMS=50) as nowhere:
        made = Tally(nowhere["nothing"])
        made.ending(tally.Ending("TEST_NOOP", None, TaskStatus.FAILED, count=3), datetime.now(UTC))
        with pytest.raises(mongo.UNAVAILABLE):
            await made.flush()
        await tally.record(nowhere["nothing"], [tally.Ending("TEST_NOOP", None, TaskStatus.FAILED)])  # says nothing, and raises nothing
        made._periods = Tally(db)._periods
        await made.flush()
    assert (await sums())["TEST_NOOP"].ended == {"FAILED": 3}
    await made.flush()
    assert (await sums())["TEST_NOOP"].ended == {"FAILED": 3}


async def test_periods_are_kept_for_as_long_as_their_range_is_drawn_and_a_bit(db: Db) -> None:
    await tally.record(db, [tally.Ending("TEST_NOOP", None, TaskStatus.FAILED)])
    by_span = {period["span"]: period async for period in db[PERIODS].find({})}
    assert set(by_span) == {over.span for over in periods.RANGES.values()}
    for over in periods.RANGES.values():
        period = by_span[over.span]
        drawn = timedelta(minutes=over.span * over.count)
        assert drawn <= period["expireAt"] - period["start"] < 3 * drawn + timedelta(days=1)
    assert (await db[PERIODS].index_information())["expiry"]["expireAfterSeconds"] == 0


def test_counting_an_ended_attempt_takes_microseconds(database_name: str) -> None:
    moment = datetime.now(UTC)
    task = {"taskType": "TEST_NOOP", "resource": "ai:default", "startedAt": moment, "availableAt": moment - timedelta(seconds=3)}
    record = stored.AttemptRecord(1, "token", moment, moment + timedelta(seconds=2), "worker", 100, 20)
    transition = stored.lifecycle.complete("id", record, result={}, progress={}, expire_at=moment)

    async def measured() -> float:
        made = Tally(mongo.database())
        best = float("inf")
        for _ in range(5):
            before = time.perf_counter()
            for _ in range(1_000):
                made.attempt(task, transition)
            best = min(best, (time.perf_counter() - before) / 1_000)
        return best

    assert mongo.run(measured()) < 50e-6  # 3 µs where nothing else runs
