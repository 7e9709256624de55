"""An action on all tasks that match, done by real workers that are killed and stopped in the middle of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import bulk_actions, bulk_run, states
from tasks_app.bulk_actions import Wanted
from tasks_app.documents import BULK_ACTIONS, TASKS
from tasks_app.selection import Selection
from tests.conftest import until
from tests.support import stored
from tests.support.cluster import Cluster

Json = dict[str, Any]
Db = AsyncDatabase[Json]

COUNT = 12_000
ALL_WAITING = Wanted("cancel", "u", "olga", Selection(statuses=states.starts_from("cancel")), "", "", "", COUNT, True)


async def ask(db: Db) -> str:
    """Store tasks that no worker knows, ask for the cancellation of all, and hand it out."""
    await db[TASKS].insert_many([stored.task(task_type="NO_LONGER_HERE") for _ in range(COUNT)], ordered=False)
    action = await bulk_actions.create(db, ALL_WAITING)
    await asyncio.to_thread(bulk_run.hand_out, action["_id"])
    return str(action["_id"])


async def read(db: Db) -> Json:
    action = await db[BULK_ACTIONS].find_one({})
    assert action is not None
    return action


async def begun(db: Db) -> None:
    async def some() -> bool:
        return bool((await read(db))["changed"])

    await until(some, seconds=30, what="the action's beginning")


async def ended(db: Db, seconds: float) -> Json:
    async def done() -> bool:
        return (await read(db))["outcome"] is not None

    await until(done, seconds=seconds, what="the action's end")
    return await read(db)


@pytest.mark.timeout(120)
async def test_when_its_worker_is_killed_the_next_goes_on_after_a_lease(db: Db, cluster: Callable[..., Cluster]) -> None:
    running = await cluster(TASKS_WORKERS="1").ready(1)
    await ask(db)
    await begun(db)
    running.kill(running.workers[0])
    assert (await read(db))["changed"] < COUNT
    action = await ended(db, bulk_actions.LEASE_SECONDS + 25)
    assert action["outcome"] == "done"
    assert await db[TASKS].count_documents({"status": "CANCELLED"}) == COUNT
    assert COUNT - bulk_run.bulk.GROUP <= action["changed"] <= COUNT  # at most the group whose record was lost is missing


@pytest.mark.timeout(120)
async def test_a_cluster_that_is_stopped_hands_it_to_the_next(db: Db, cluster: Callable[..., Cluster]) -> None:
    first = await cluster(TASKS_WORKERS="1").ready(1)
    await ask(db)
    await begun(db)
    first.stop()
    assert (await read(db))["outcome"] is None
    cluster(TASKS_WORKERS="1")
    assert (await ended(db, 45))["outcome"] == "done"
    assert await db[TASKS].count_documents({"status": "CANCELLED"}) == COUNT
