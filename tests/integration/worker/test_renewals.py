"""Renewals beside everything else that happens to a worker's tasks meanwhile."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ainoval import mongo
from tasks_app import lifecycle, maintenance
from tasks_app.documents import TASKS
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable
from tasks_app.worker import clock, leases
from tasks_app.worker.attempt import Attempt
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support.registered import registered
from tests.support.stored import Db, change
from tests.support.submissions import store_many
from tests.support.watched import stored, submit

Start = Callable[..., Worker]

MORE_THAN_A_BATCH = 300  # the driver reads the first 101 leases by one command, and the rest by another


def nothing(attempt: Any) -> None:
    """Leave it alone."""


async def test_a_lease_is_not_taken_for_lost_because_its_cancellation_is_asked_for_during_a_renewal(start: Start, db: Db) -> None:
    ids = await store_many(db, "TEST_SLEEP", MORE_THAN_A_BATCH, seconds=60)
    worker = start(lease_seconds=60.0)  # whose own renewals are far away
    await until(lambda: len(worker.attempts) == MORE_THAN_A_BATCH)
    lost: list[Attempt] = []

    async def ask() -> None:
        for task_id in reversed(ids[100:]):  # the last of the index, to which each scan comes last
            await change(db, lifecycle.request_cancel({"_id": task_id}))

    asking = asyncio.create_task(ask())
    while not asking.done():
        await worker._leases.renew(lost.append, nothing)
    await asking

    assert [attempt.task_id for attempt in lost] == []


class NotesItsEnd(TaskExecutable[NoParameters, NoParameters]):
    """Wait, and note whether it was cut off."""

    task_type = "TEST_NOTES_ITS_END"
    began = 0
    cut_off = 0

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        NotesItsEnd.began += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            NotesItsEnd.cut_off += 1
            raise
        return NoParameters()


async def test_an_attempt_whose_task_its_own_worker_has_claimed_anew_is_stopped(start: Start, db: Db) -> None:
    with registered(NotesItsEnd):
        NotesItsEnd.began = NotesItsEnd.cut_off = 0
        worker = start(lease_seconds=60.0)
        task_id = await submit("TEST_NOTES_ITS_END")
        await until(lambda: NotesItsEnd.began == 1)
        # As after a standstill longer than the lease: another worker has put the task back, and this one claims before it renews.
        await change(db, lifecycle.expire_leases_of(worker.identity.owner))
        await maintenance.recover_lost(db, {"_id": task_id})
        await until(lambda: NotesItsEnd.began == 2, what="the second attempt")
        await until(lambda: NotesItsEnd.cut_off == 1, seconds=10, what="the end of the first attempt")
        assert NotesItsEnd.began == 2
        assert [attempt.number for attempt in worker.attempts.values()] == [1]


async def test_a_worker_whose_loop_was_blocked_renews_its_leases_before_it_recovers_anything(start: Start, db: Db) -> None:
    await store_many(db, "TEST_SLEEP", 3, seconds=60)
    worker = start(lease_seconds=1.5)
    await until(lambda: len(worker.attempts) == 3)
    running = dict(worker.attempts)
    for _ in range(4):
        await until(lambda: worker._leases.may_sweep, what="contact for a while")
        time.sleep(2.0)  # noqa: ASYNC251 - the loop of the worker, too: all three leases run out
        assert not worker._leases.may_sweep
        await worker._leases.renewed()
    assert worker.attempts == running
    assert await db[TASKS].count_documents({"crashCount": 0, "attempts.outcome": {"$exists": False}}) == 3


async def test_a_worker_whose_loop_was_blocked_during_a_renewal_renews_once_more_before_it_recovers_anything(start: Start, db: Db) -> None:
    await store_many(db, "TEST_SLEEP", 1, seconds=60)
    worker = start(lease_seconds=1.5)
    await until(lambda: worker.attempts and worker._leases.may_sweep)
    renewal = asyncio.create_task(worker._leases.renew(nothing, nothing))
    await asyncio.sleep(0)  # it is on its way
    time.sleep(2.0)  # noqa: ASYNC251
    await renewal
    assert not worker._leases.may_sweep
    await until(lambda: worker._leases.may_sweep)
    assert await db[TASKS].count_documents({"crashCount": 0}) == 1


async def test_a_worker_whose_machine_slept_renews_its_leases_before_it_recovers_anything(start: Start, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    [task_id] = await store_many(db, "TEST_SLEEP", 1, seconds=600)
    worker = start(lease_seconds=60.0)
    await until(lambda: task_id in worker.attempts)
    asleep = lifecycle.expire_leases_of(worker.identity.owner)
    mongo.sync_database()[TASKS].update_one(asleep.filter, asleep.update)  # which gives the loop no turn in between
    monkeypatch.setattr(leases, "elapsed", lambda: clock.elapsed() + 100.0)
    assert not worker._leases.may_sweep

    async def renewed() -> bool:
        return bool((await stored(task_id))["lease"]["expiresAt"] > datetime.now(UTC))

    await until(renewed, seconds=5, what="the renewal")
    assert (await stored(task_id))["crashCount"] == 0
    assert task_id in worker.attempts
