"""Operations on many tasks: what happens when two of them run at once, and to those of batches."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import bulk, lifecycle, states
from tasks_app.documents import TASKS
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus as S
from tests.support.tasks import stored_batch, stored_task, task_document

Json = dict[str, Any]
Db = AsyncDatabase[Json]

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("query", [{"parentId": "a"}, {"parentId": {"$in": ["a", "b"]}}])
async def test_a_batchs_tasks_are_found_by_their_index_without_a_hint(db: Db, query: Json) -> None:
    await stored_batch(db, [S.COMPLETED, S.QUEUED])
    plan = (await db.command({"explain": {"find": TASKS, "filter": query}, "verbosity": "queryPlanner"}))["queryPlanner"]["winningPlan"]
    assert "IXSCAN" in _stages(plan)
    assert "COLLSCAN" not in _stages(plan)


def _stages(plan: Any) -> set[str]:
    if isinstance(plan, dict):
        own = {plan["stage"]} if "stage" in plan else set()
        return own.union(*(_stages(value) for value in plan.values()))
    return set().union(*(_stages(item) for item in plan)) if isinstance(plan, list) else set()


async def test_counting_types_reads_no_document(db: Db) -> None:
    await stored_batch(db, [S.COMPLETED, S.QUEUED])
    stages = [{"$group": {"_id": {"taskType": "$taskType", "status": "$status"}, "count": {"$sum": 1}}}]
    command = {"aggregate": TASKS, "pipeline": stages, "cursor": {}, "hint": "user_created"}
    explained = await db.command({"explain": command, "verbosity": "executionStats"})
    assert "COLLSCAN" not in _stages(explained)
    assert "FETCH" not in _stages(explained)


async def test_two_requeues_at_once_requeue_each_task_once(db: Db) -> None:
    await db[TASKS].insert_many([task_document(status=S.FAILED) for _ in range(700)])
    selection = Selection(statuses=states.REQUEUEABLE)
    first, second = await asyncio.gather(bulk.requeue(db, selection), bulk.requeue(db, selection))
    assert first.requeued + second.requeued == 700
    assert await db[TASKS].distinct("generation") == [1]


async def test_a_requeue_never_takes_a_batchs_task_alone(db: Db) -> None:
    _, (child,) = await stored_batch(db, [S.FAILED], status=S.FAILED)
    assert (await bulk.requeue(db, Selection(statuses=states.REQUEUEABLE))).requeued == 1
    assert await db[TASKS].count_documents({"_id": child["_id"], "status": "FAILED"}) == 1


async def test_two_cancellations_at_once_count_each_task_once(db: Db) -> None:
    await db[TASKS].insert_many([task_document(status=S.QUEUED) for _ in range(700)])
    selection = Selection(statuses=states.UNFINISHED)
    first, second = await asyncio.gather(bulk.cancel(db, selection), bulk.cancel(db, selection))
    assert first.at_once + second.at_once == 700


async def test_a_task_that_began_meanwhile_is_not_cancelled_as_a_queued_one(db: Db) -> None:
    task = await stored_task(db, status=S.RUNNING)
    scope = Selection(statuses=frozenset({S.QUEUED})).scope([task["_id"]])
    assert await lifecycle.execute(db, lifecycle.request_cancel(scope)) == 0
    assert await lifecycle.execute(db, lifecycle.request_cancel(Selection(statuses=states.UNFINISHED).scope([task["_id"]]))) == 1


async def test_a_task_that_failed_again_meanwhile_is_not_requeued_twice(db: Db) -> None:
    task = await stored_task(db, status=S.FAILED)
    scope = Selection(statuses=states.REQUEUEABLE, ended_before=NOW).scope([task["_id"]])
    assert await lifecycle.execute(db, lifecycle.requeue(scope, fair_key=1.0)) == 0


async def test_a_batch_cancelled_earlier_gets_its_forgotten_tasks_cancelled(db: Db) -> None:
    parent, children = await stored_batch(db, [S.QUEUED], status=S.CANCELLING)
    done = await bulk.cancel(db, Selection(statuses=frozenset({S.CANCELLING})))
    assert done.batches == 1
    assert {task["status"] async for task in db[TASKS].find({"_id": {"$in": [parent["_id"], children[0]["_id"]]}})} == {"CANCELLED"}


@pytest.mark.parametrize("moved_on", [{"status": "COMPLETED", "result": {"summary": "Rain."}}, {"completedAt": NOW + timedelta(seconds=1)}])
async def test_a_task_that_no_longer_matches_when_its_group_is_done_is_not_purged(db: Db, moved_on: Json) -> None:
    """It failed, was run again by its writer, and has ended anew: its result was never selected."""
    task, _other = [await stored_task(db, status=S.FAILED, createdAt=NOW, completedAt=NOW) for _ in range(2)]

    class Meanwhile(bulk.Witness):
        async def before(self, task_ids: list[str]) -> None:
            await db[TASKS].update_one({"_id": task["_id"]}, {"$set": moved_on})

    assert (await bulk.purge(db, Selection(statuses=frozenset({S.FAILED}), ended_before=NOW), Meanwhile())).documents == 1
    assert [left["_id"] async for left in db[TASKS].find({})] == [task["_id"]]


async def test_a_batch_that_was_requeued_meanwhile_keeps_its_tasks_from_a_purge(db: Db) -> None:
    batch, (child,) = await stored_batch(db, [S.QUEUED], status=S.FAILED)

    class Meanwhile(bulk.Witness):
        async def before(self, task_ids: list[str]) -> None:
            await db[TASKS].update_one({"_id": batch["_id"]}, {"$set": {"status": "RUNNING"}})

    assert (await bulk.purge(db, Selection(statuses=states.TERMINAL), Meanwhile())).documents == 0
    assert await db[TASKS].count_documents({"_id": child["_id"], "status": "QUEUED"}) == 1


async def test_a_witness_sees_each_group_and_can_end_the_operation(db: Db) -> None:
    class Stop(Exception):
        pass

    class Seen(bulk.Witness):
        def __init__(self) -> None:
            self.asked: list[list[str]] = []
            self.done: list[tuple[int, int]] = []

        async def before(self, task_ids: list[str]) -> None:
            self.asked.append(task_ids)

        async def after(self, seen: int, changed: int) -> None:
            self.done.append((seen, changed))
            if len(self.done) == 2:
                raise Stop

    await db[TASKS].insert_many([task_document(status=S.FAILED) for _ in range(bulk.GROUP * 2 + 10)])
    for operation in (bulk.requeue, bulk.cancel, bulk.purge):
        witness = Seen()
        statuses = {bulk.requeue: states.REQUEUEABLE, bulk.cancel: frozenset({S.QUEUED}), bulk.purge: states.TERMINAL}[operation]
        if operation is bulk.purge:
            await bulk.cancel(db, Selection(statuses=states.UNFINISHED))
        with pytest.raises(Stop):
            await operation(db, Selection(statuses=statuses), witness)
        assert witness.done == [(bulk.GROUP, bulk.GROUP)] * 2
        assert [len(ids) for ids in witness.asked] == [bulk.GROUP] * 2
        if operation is bulk.requeue:
            await operation(db, Selection(statuses=statuses))
    assert await db[TASKS].count_documents({}) == 10
