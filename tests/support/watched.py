"""Tasks that a test submits and watches: alice's, through the shipped operation."""

from typing import Any

from ainoval import mongo
from tasks_app import operations
from tasks_app.documents import TASKS
from tests.conftest import until

Json = dict[str, Any]


async def submit(task_type: str, **parameters: Any) -> str:
    """Submit a task; return its id."""
    return (await operations.submit("alice", task_type, parameters)).task_id


async def stored(task_id: str) -> Json:
    """Return the task as it is stored now."""
    found = await mongo.database()[TASKS].find_one({"_id": task_id})
    assert found is not None
    return found


async def ended(task_id: str, status: str) -> Json:
    """Wait until the task is in this state; return it."""

    async def is_there() -> bool:
        task = await stored(task_id)
        return task["status"] == status

    await until(is_there, what=f"{status}")
    return await stored(task_id)
