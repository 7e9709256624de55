"""Cancelling all that is about a user or a novel, beside workers that go on meanwhile."""

import asyncio

from tasks_app import lifecycle, operations
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.conftest import until
from tests.support import stored
from tests.support.stored import ALICE, Db, change, read

S = TaskStatus

MORE_THAN_A_BATCH = 150  # the driver reads the first 101 by one command, and the rest by another


async def test_a_task_that_is_promoted_while_all_of_its_users_are_cancelled_is_cancelled_too(db: Db) -> None:
    await db[TASKS].insert_many([stored.task() for _ in range(MORE_THAN_A_BATCH)])
    task = await stored.running(db, createdAt=stored.now())  # the newest, which is first in the index
    assert await change(db, stored.retry(task, delay=-1.0)) == 1
    cancelling = asyncio.create_task(operations.cancel_all_of(ALICE))
    await until(lambda: db[TASKS].count_documents({"status": S.CANCELLED}))

    assert await change(db, lifecycle.promote()) == 1
    count = await cancelling

    assert (await read(db, task["_id"]))["status"] == S.CANCELLED
    assert count == MORE_THAN_A_BATCH + 1
