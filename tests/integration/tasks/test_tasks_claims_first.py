"""What an idle worker takes that was woken for one task: the head of the queue, by one command."""

import asyncio
from typing import Any

import pytest
from pymongo import WriteConcern
from pymongo.errors import WriteConcernError

from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.support import stored
from tests.support.claiming import claimer, named, store
from tests.support.stored import ALICE, BOB, Db, read

S = TaskStatus


async def first(db: Db, **limits: Any) -> list[str]:
    """Claim as an idle worker does that was woken, and return the claimed tasks' names."""
    return [doc["parameters"]["tag"] for doc in (await claimer(db, **limits).claim_first(10)).tasks]


async def test_an_idle_worker_takes_the_head_of_the_queue_and_nothing_else_by_one_command(db: Db) -> None:
    future = stored.now() + stored.timedelta(seconds=60)
    await store(
        db,
        named("second", fairKey=2.0),
        named("first", fairKey=1.0),
        named("later", fairKey=0.0, availableAt=future),
        named("lost twice", fairKey=0.0, crashCount=2),
        named("of another version", fairKey=0.0, task_type="FROM_THE_FUTURE"),
    )
    one = claimer(db, "host:1")

    group = await one.claim_first(10)

    [task] = group.tasks
    kept = await read(db, task["_id"])
    assert (kept["status"], kept["attempt"], kept["lease"]["owner"], kept["lease"]["token"]) == (S.RUNNING, 1, "host:1", group.token)
    assert not group.more
    assert task["parameters"]["tag"] == "first"
    assert task["startedAt"] == kept["startedAt"]
    assert await first(db) == ["second"]
    assert await first(db) == []


async def test_many_idle_workers_at_once_take_each_task_once(db: Db) -> None:
    await store(db, *(named(str(n)) for n in range(5)))

    groups = await asyncio.gather(*(claimer(db, f"host:{n}").claim_first(10) for n in range(12)))

    assert sorted(doc["parameters"]["tag"] for group in groups for doc in group.tasks) == ["0", "1", "2", "3", "4"]


async def test_what_an_idle_worker_takes_over_a_limit_goes_back(db: Db) -> None:
    await store(db, *(named(str(n)) for n in range(12)))

    groups = await asyncio.gather(*(claimer(db, f"host:{n}", per_user=3).claim_first(10) for n in range(12)))

    assert sum(len(group.tasks) for group in groups) <= 3
    assert await db[TASKS].count_documents({"status": S.RUNNING}) <= 3
    assert await db[TASKS].count_documents({"status": S.QUEUED, "attempt": {"$ne": 0}}) == 0


async def test_while_something_is_at_its_limit_an_idle_worker_looks_past_it(db: Db) -> None:
    await stored.running(db, ALICE)
    await store(db, *(named("alice") for _ in range(30)), named("bob", BOB), named("bob", BOB))

    assert await first(db, per_user=1) == ["bob"]

    assert await db[TASKS].count_documents({"userId": ALICE, "status": S.QUEUED, "attempt": 0}) == 30


async def test_an_idle_worker_does_not_begin_a_child_whose_parent_is_gone(db: Db) -> None:
    child = await stored.queued(db, parent_id="deleted")

    assert await first(db) == []

    assert (await read(db, child["_id"]))["status"] == S.CANCELLED


async def test_the_server_keeps_no_copy_of_what_an_idle_worker_takes(db: Db) -> None:
    task = named("one")
    await store(db, task)

    assert await first(db) == ["one"]

    assert await db.client["config"]["image_collection"].count_documents({"image._id": task["_id"]}) == 0


async def test_what_no_majority_has_acknowledged_is_not_begun_by_an_idle_worker_but_goes_back(db: Db) -> None:
    await store(db, named("one"))
    one = claimer(db.with_options(write_concern=WriteConcern(w=2, wtimeout=20)))  # there is one member

    with pytest.raises(WriteConcernError):
        await one.claim_first(10)

    task = await db[TASKS].find_one({})
    assert task is not None
    assert task["status"] == S.RUNNING, "it was executed"
    assert one.unanswered == {task["lease"]["token"]}, "whose claims the lease keeper hands back"
