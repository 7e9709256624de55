"""Cancelling all that is about a user or a novel, beside workers that go on meanwhile."""

import pytest

from tasks_app import lifecycle, operations
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.support import stored
from tests.support.stored import ALICE, Db, change, read

S = TaskStatus

MORE_THAN_A_GROUP = operations.CANCEL_GROUP + 1  # the driver reads a group by one command, and the rest by another


async def test_a_task_that_is_promoted_while_all_of_its_users_are_cancelled_is_cancelled_too(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    await db[TASKS].insert_many([stored.task() for _ in range(MORE_THAN_A_GROUP)])
    task = await stored.running(db, createdAt=stored.now())  # the newest, which is first in the index
    assert await change(db, stored.retry(task, delay=-1.0)) == 1
    execute, promoted = lifecycle.execute, []

    async def promoting(db: Db, transition: lifecycle.Transition) -> int:
        changed = await execute(db, transition)
        if not promoted:  # the first group is cancelled, and the search goes on behind it
            promoted.append(await execute(db, lifecycle.promote()))
        return changed

    monkeypatch.setattr(lifecycle, "execute", promoting)
    count = await operations.cancel_all_of(ALICE)

    assert promoted == [1]
    assert (await read(db, task["_id"]))["status"] == S.CANCELLED
    assert count == MORE_THAN_A_GROUP + 1


async def test_a_thousand_tasks_are_cancelled_in_groups(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    await db[TASKS].insert_many([stored.task() for _ in range(1_000)])
    running = await stored.running(db)
    execute, writes = lifecycle.execute, []

    async def counted(db: Db, transition: lifecycle.Transition) -> int:
        writes.append(transition.name)
        return await execute(db, transition)

    monkeypatch.setattr(lifecycle, "execute", counted)
    assert await operations.cancel_all_of(ALICE) == 1_001

    assert await db[TASKS].count_documents({"status": S.CANCELLED}) == 1_000
    assert (await read(db, running["_id"]))["status"] == S.CANCELLING
    assert len(writes) < 50
