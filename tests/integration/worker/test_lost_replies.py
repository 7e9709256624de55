"""Calls that were executed although nobody heard of it, and calls whose failure is the database's and not the task's."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pymongo import WriteConcern
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CursorNotFound,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from ainoval import mongo
from tasks_app import lifecycle
from tasks_app.conf import task_settings
from tasks_app.documents import TASKS
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable
from tasks_app.states import TaskStatus
from tasks_app.worker.leases import LeaseKeeper
from tasks_app.worker.outbox import Outbox, Verdict
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support import stored
from tests.support.registered import registered
from tests.support.stored import Db, change, read
from tests.support.watched import ended, submit

Start = Callable[..., Worker]

S = TaskStatus


def nobody(attempt: Any) -> None:
    raise AssertionError("no attempt is known here")


async def test_what_a_claim_won_although_its_reply_was_lost_goes_back_at_the_next_renewal_at_no_cost(db: Db) -> None:
    tasks = [await stored.queued(db) for _ in range(3)]
    ids = [task["_id"] for task in tasks]
    assert await change(db, lifecycle.claim(ids, owner="host:1", token="unheard", lease_seconds=30)) == 3
    assert await change(db, lifecycle.request_cancel({"_id": ids[2]})) == 1
    other = await stored.running(db, owner="host:1")
    keeper = LeaseKeeper(db, "host:1", task_settings(), {}, {"unheard"})

    await keeper.renew(nobody, nobody)

    after = [await read(db, task_id) for task_id in ids]
    assert [(task["status"], task["attempt"], task["crashCount"], task["attempts"]) for task in after] == [
        (S.QUEUED, 0, 0, []),
        (S.QUEUED, 0, 0, []),
        (S.CANCELLED, 0, 0, []),
    ]
    assert (await read(db, other["_id"]))["status"] == S.RUNNING, "whose claim was answered is not touched"


FAULTS: dict[str, PyMongoError] = {
    "connection_closed": AutoReconnect("connection closed"),
    "network_timeout": NetworkTimeout("timed out"),
    "no_primary": ServerSelectionTimeoutError("no primary found"),
    "not_primary": NotPrimaryError("not primary", {"code": 10107}),
    "stepped_down_in_the_middle": NotPrimaryError("interrupted", {"code": 11602}),
    "not_acknowledged_by_a_majority": WTimeoutError("waiting for replication timed out", 64, {}),
    "stepped_down_before_the_majority": WriteConcernError("interrupted", 11602, {}),
    "cursor_of_a_server_that_was_restarted": CursorNotFound("cursor id 1 not found", 43, {}),
    "retryable_by_its_label": OperationFailure("host unreachable", 6, {"errorLabels": ["RetryableWriteError"]}),
    "half_a_group_was_written": BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 11602, "errmsg": "interrupted"}]}),
}


class MeetsAFault(TaskExecutable[NoParameters, NoParameters]):
    """Meet an error of the driver once."""

    task_type = "TEST_DRIVER_FAULT"
    fault: PyMongoError | None = None

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        fault, MeetsAFault.fault = MeetsAFault.fault, None
        if fault is not None:
            raise fault
        return NoParameters()


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_an_error_of_the_driver_is_not_mistaken_for_the_tasks(start: Start, name: str) -> None:
    with registered(MeetsAFault):
        MeetsAFault.fault = FAULTS[name]
        start()
        task = await ended(await submit("TEST_DRIVER_FAULT"), "COMPLETED")
    assert [(entry["outcome"], (entry.get("error") or {}).get("code")) for entry in task["attempts"]] == [
        ("retry", "database_unavailable"),
        ("completed", None),
    ]
    assert task["attempt"] == 1


async def test_an_ending_that_no_majority_has_acknowledged_is_not_taken_for_written(db: Db) -> None:
    task = await stored.running(db)
    outbox = Outbox(db.with_options(write_concern=WriteConcern(w=2, wtimeout=20)))  # there is one member
    writing = asyncio.create_task(outbox.run())
    told = asyncio.create_task(outbox.write(stored.complete(task)))
    done, _ = await asyncio.wait({told}, timeout=0.6)
    assert (await read(db, task["_id"]))["status"] == S.COMPLETED, "it was executed"
    assert not done
    told.cancel()
    writing.cancel()
    await asyncio.gather(told, writing, return_exceptions=True)


async def test_a_completion_is_confirmed_by_its_token_and_not_by_the_tasks_id_alone(db: Db) -> None:
    task = await stored.running(db, lease_seconds=-1.0)
    assert await change(db, stored.recover({"_id": task["_id"]})) == 1
    again = await stored.claimed(db, await read(db, task["_id"]))
    assert await change(db, stored.complete(again)) == 1
    before = await read(db, task["_id"])
    outbox = Outbox(db)
    writing = asyncio.create_task(outbox.run())

    assert await outbox.write(stored.complete(task)) is Verdict.LOST, "it is completed, but not by this attempt"
    assert await outbox.write(stored.complete(again)) is Verdict.WRITTEN, "whose reply was lost"

    assert await read(db, task["_id"]) == before
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_a_cursor_that_its_server_has_forgotten_counts_as_an_outage(db: Db) -> None:
    await db[TASKS].insert_many([stored.task() for _ in range(5)])
    cursor = db[TASKS].find({}, batch_size=2)
    await cursor.next()
    await db.command("killCursors", TASKS, cursors=[cursor.cursor_id])
    with pytest.raises(mongo.UNAVAILABLE):
        await cursor.to_list(None)


async def test_a_write_that_no_majority_acknowledges_counts_as_an_outage_whatever_the_reason(db: Db) -> None:
    task = await stored.running(db)
    unheard = db.with_options(write_concern=WriteConcern(w=2))  # there is one member: said at once, and not by a time-out
    with pytest.raises(mongo.UNAVAILABLE):
        await change(unheard, lifecycle.request_cancel({"_id": task["_id"]}))


async def test_a_worker_goes_on_when_its_renewals_are_not_acknowledged_by_a_majority(start: Start, db: Db) -> None:
    worker = start()
    task_id = await submit("TEST_SLEEP", seconds=20)
    await ended(task_id, "RUNNING")
    worker._leases._db = db.with_options(write_concern=WriteConcern(w=2))
    await until(lambda: worker._leases._missed or worker._draining.is_set(), what="a renewal that was not acknowledged")
    assert not worker._draining.is_set()
