"""Many tasks: submitted as a busy site does, some at once and not all; or stored in one go, where submitting is not what is tested."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.ids import new_id
from tasks_app import operations
from tasks_app.documents import TASKS, new_task

Json = dict[str, Any]

AT_ONCE = 50  # hundreds at once would wait for a connection longer than the driver lets them, on a slow machine


async def submit_all(user_id: str, task_type: str, each: Iterable[Json]) -> list[str]:
    """Submit a task with each of these parameters; return the ids, in order."""
    free = asyncio.Semaphore(AT_ONCE)

    async def submit(parameters: Json) -> str:
        async with free:
            return (await operations.submit(user_id, task_type, parameters)).task_id

    return await asyncio.gather(*map(submit, each))


async def store_many(db: AsyncDatabase[Json], task_type: str, number: int, **parameters: Any) -> list[str]:
    """Store tasks of alice's as submissions do, all at once; return their ids."""
    now = datetime.now(UTC)
    fixed: Json = {"user_id": "alice", "task_type": task_type, "parameters": parameters, "now": now, "priority": 0, "max_attempts": 3}
    tasks = [new_task(task_id=new_id(), fair_key=float(key), **fixed) for key in range(number)]
    await db[TASKS].insert_many(tasks, ordered=False)
    return [task["_id"] for task in tasks]
