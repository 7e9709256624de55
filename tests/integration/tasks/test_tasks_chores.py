"""What an idle worker's one look finds to do, and what it reads for that."""

from typing import Any

import pytest

from tasks_app import maintenance
from tasks_app.documents import TASKS
from tasks_app.maintenance import Chores
from tasks_app.states import TaskStatus
from tests.support import stored
from tests.support.stored import Db

S = TaskStatus
NOTHING = Chores(claims=False, retries=False, losses=False, families=False)


async def found(db: Db) -> set[str]:
    chores = await maintenance.chores(db, stored.now())
    return {name for name in Chores.__slots__ if getattr(chores, name)}


async def test_nothing_is_found_where_nothing_is_due(db: Db) -> None:
    assert await maintenance.chores(db, stored.now()) == NOTHING
    later = stored.now() + stored.timedelta(seconds=60)
    await stored.queued(db, availableAt=later)
    await stored.running(db)
    await stored.change(db, stored.retry(await stored.running(db), delay=60))
    for status in (S.COMPLETED, S.FAILED, S.CANCELLED):
        await db[TASKS].insert_one(stored.task() | {"status": status.value})
    assert await maintenance.chores(db, stored.now()) == NOTHING


async def test_a_queued_task_is_found_when_it_is_due_in_either_lane(db: Db) -> None:
    task = await stored.queued(db)
    assert await found(db) == {"claims"}
    await db[TASKS].update_one({"_id": task["_id"]}, {"$set": {"lane": 1, "parentId": "p"}})
    assert await found(db) == {"claims"}


async def test_a_retry_is_found_when_its_delay_is_over(db: Db) -> None:
    await stored.change(db, stored.retry(await stored.running(db), delay=-1))
    assert await found(db) == {"retries"}


@pytest.mark.parametrize("status", [S.RUNNING, S.CANCELLING])
async def test_a_lease_that_has_run_out_is_found(db: Db, status: TaskStatus) -> None:
    task = await stored.running(db, lease_seconds=-1)
    await db[TASKS].update_one({"_id": task["_id"]}, {"$set": {"status": status.value}})
    assert await found(db) == {"losses"}


@pytest.mark.parametrize("status", [S.RUNNING, S.CANCELLING])
async def test_a_parent_that_awaits_children_is_found_and_is_no_loss(db: Db, status: TaskStatus) -> None:
    await db[TASKS].insert_one(stored.task() | {"status": status.value, "children": {"total": 2}})
    assert await found(db) == {"families"}


async def test_the_look_reads_a_few_keys_however_much_there_is(db: Db) -> None:
    later = stored.now() + stored.timedelta(seconds=60)
    await db[TASKS].insert_many([stored.task() | {"status": S.COMPLETED.value} for _ in range(2_000)])
    await db[TASKS].insert_many([stored.task() for _ in range(300)])
    await db[TASKS].insert_many([stored.task() | {"status": S.RETRYING.value, "availableAt": later} for _ in range(300)])
    for owner in ("one", "two"):
        lease = {"owner": owner, "token": "t", "expiresAt": later}
        await db[TASKS].insert_many([stored.task() | {"status": S.RUNNING.value, "lease": lease} for _ in range(200)])

    command = {"aggregate": TASKS, "pipeline": maintenance.chores_pipeline(stored.now()), "cursor": {}, "hint": "active"}
    explained = await db.command({"explain": command, "verbosity": "executionStats"})

    indexes, keys, documents = read_by(explained)
    assert indexes == {"active", "claim"}
    assert keys <= 12 and documents <= 1


def read_by(explained: Any) -> tuple[set[str], int, int]:
    """Return which indexes a plan uses, and how many keys and documents its executions read."""
    indexes: set[str] = set()
    keys = documents = 0
    waiting = [explained]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            if stats := part.get("executionStats"):
                keys, documents = keys + stats["totalKeysExamined"], documents + stats["totalDocsExamined"]
            if part.get("stage") == "IXSCAN":
                indexes.add(part["indexName"])
            waiting += [value for name, value in part.items() if name not in {"rejectedPlans", "allPlansExecution"}]
    return indexes, keys, documents
