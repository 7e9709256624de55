"""What becomes of children when their parent has ended, in whatever way, or is gone; and how long they are kept."""

from collections.abc import Awaitable, Callable

import pytest
from pymongo import AsyncMongoClient, monitoring

from ainoval import mongo
from tasks_app import bulk, families, lifecycle, maintenance, operations, states
from tasks_app.documents import TASKS
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus
from tests.support import stored
from tests.support.batches import children_of, family, plan
from tests.support.stored import Db, Json, change, read

S = TaskStatus


async def test_a_requeued_parents_children_are_kept_from_then_on(db: Db) -> None:
    parents = []
    for _ in range(2):
        parent, children = await family(db, 2)
        for child in children:
            await stored.end_child(db, child, S.FAILED)
        parents.append(parent["_id"])
    await families.roll_up(db)
    assert await db[TASKS].count_documents({"parentId": {"$in": parents}, "expireAt": {"$exists": True}}) == 4

    await operations.requeue(parents[0], user_id=None)
    await bulk.requeue(db, Selection(task_ids=(parents[1],), statuses=states.REQUEUEABLE), priority=3)

    assert await db[TASKS].count_documents({"parentId": {"$in": parents}, "expireAt": {"$exists": True}}) == 0
    assert [(await read(db, parent_id))["priority"] for parent_id in parents] == [0, 3]


async def _planting(db: Db) -> Json:
    """A parent that was lost while it planted: one child has completed, one runs, one waits to try again, one is queued."""
    parent = await stored.running(db, task_type="TEST_FAMILY", lease_seconds=-1.0)
    await families.plant(db, parent, plan(4), operations.services())
    completed, running, retrying, _ = await children_of(db, parent)
    await stored.end_child(db, completed, S.COMPLETED)
    await stored.claimed(db, running)
    await change(db, stored.retry(await stored.claimed(db, retrying)))
    return parent


async def _lost_for_good(db: Db, parent: Json) -> None:
    await maintenance.recover_lost(db, {"_id": parent["_id"]}, mark_failed=True)


async def _lost_while_it_was_cancelled(db: Db, parent: Json) -> None:
    await change(db, lifecycle.request_cancel({"_id": parent["_id"]}))
    await maintenance.recover_lost(db, {"_id": parent["_id"]})


async def _failed(db: Db, parent: Json) -> None:
    await change(db, stored.fail(parent))
    await families.roll_up(db, [parent["_id"]])  # as its worker does


async def _cancelled_before_it_planted_again(db: Db, parent: Json) -> None:
    await maintenance.recover_lost(db, {"_id": parent["_id"]})
    await operations.cancel(parent["_id"], user_id=None)


async def _cancelled_with_others(db: Db, parent: Json) -> None:
    await maintenance.recover_lost(db, {"_id": parent["_id"]})
    await bulk.cancel(db, Selection(task_ids=(parent["_id"],)))


async def _deleted(db: Db, parent: Json) -> None:
    await db[TASKS].delete_one({"_id": parent["_id"]})
    await families.roll_up(db, [parent["_id"]])


@pytest.mark.parametrize("end", [_lost_for_good, _lost_while_it_was_cancelled, _failed, _cancelled_before_it_planted_again, _cancelled_with_others, _deleted])
async def test_children_end_with_a_parent_that_did_not_await_them_and_are_kept_no_longer_than_any(db: Db, end: Callable[[Db, Json], Awaitable[None]]) -> None:
    parent = await _planting(db)

    await end(db, parent)

    children = await children_of(db, parent)
    assert [child["status"] for child in children] == [S.COMPLETED, S.CANCELLING, S.CANCELLED, S.CANCELLED]
    await change(db, lifecycle.confirm_cancel(children[1]["_id"], stored.record(children[1]), progress=dict(lifecycle.NO_PROGRESS), expire_at=None))
    await families.roll_up(db, [parent["_id"]])  # as the child's worker does
    assert all(child["expireAt"] > stored.now() for child in await children_of(db, parent))


async def test_a_child_of_an_ended_parent_whose_worker_is_lost_is_kept_no_longer_than_any(db: Db) -> None:
    parent = await _planting(db)
    await _lost_for_good(db, parent)
    running = (await children_of(db, parent))[1]

    await maintenance.recover_worker(db, running["lease"]["owner"])

    child = await read(db, running["_id"])
    assert child["status"] == S.CANCELLED
    assert child["expireAt"] > stored.now()


async def test_what_was_found_of_an_ended_parent_does_not_cancel_the_children_of_its_next_life(db: Db) -> None:
    parent, (child,) = await family(db, 1)
    await stored.end_child(db, child, S.FAILED)
    await families.roll_up(db)
    ended = await read(db, parent["_id"])
    await operations.requeue(parent["_id"], user_id=None)
    again = await stored.claimed(db, await read(db, parent["_id"]))
    await families.plant(db, again, plan(1), operations.services())

    await families.cancel_children(db, parent["_id"], generation=ended["generation"])

    assert [child["status"] for child in await children_of(db, parent)] == [S.QUEUED]


async def test_a_batch_is_deleted_before_its_children_so_that_no_requeue_finds_it_without_them(db: Db) -> None:
    parent, children = await family(db, 2)
    for child in children:
        await stored.end_child(db, child, S.FAILED)
    await families.roll_up(db)
    order: list[Json] = []

    class Watch(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name == "delete":
                order.append(event.command["deletes"][0]["q"])

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

        def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    async with AsyncMongoClient(mongo.uri(), event_listeners=[Watch()]) as client:
        assert await maintenance.purge(client[db.name], [parent["_id"]]) == 3

    assert [sorted(query) for query in order] == [["_id", "status"], ["parentId", "status"]]


async def test_a_purge_leaves_the_children_of_a_batch_that_was_requeued_meanwhile(db: Db) -> None:
    parent, children = await family(db, 2)
    for child in children:
        await stored.end_child(db, child, S.FAILED)
    await families.roll_up(db)
    await operations.requeue(parent["_id"], user_id=None)

    assert await maintenance.purge(db, [parent["_id"]]) == 0

    assert len(await children_of(db, parent)) == 2
