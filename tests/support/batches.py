"""Batches of the test type, with their children."""

from typing import Any

from tasks_app import families, lifecycle, operations
from tasks_app.documents import TASKS
from tasks_app.executable import ChildTask
from tests.support import stored
from tests.support.stored import Db, Json, change, read
from tests.support.testtasks.executables import Sleep


def plan(count: int) -> list[ChildTask]:
    """One child for each number."""
    return [ChildTask(str(number), "TEST_SLEEP", Sleep(seconds=0.0)) for number in range(count)]


async def children_of(db: Db, parent: Json) -> list[Json]:
    """Its children, as they are stored now, in the order they were planned in."""
    return await db[TASKS].find({"parentId": parent["_id"]}).sort([("fairKey", 1)]).to_list(None)


async def family(db: Db, count: int = 3, **fields: Any) -> tuple[Json, list[Json]]:
    """A parent that awaits `count` queued children."""
    parent = await stored.running(db, task_type="TEST_FAMILY", parameters={"count": count}, **fields)
    total = await families.plant(db, parent, plan(count), operations.services())
    assert await change(db, lifecycle.await_children(parent["_id"], stored.record(parent), total=total)) == 1
    return await read(db, parent["_id"]), await children_of(db, parent)
