"""Batches: planting children once, rolling up, the four ways a parent ends, cancel and requeue of a whole family."""

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from pymongo import WriteConcern
from pymongo.errors import BulkWriteError

from ainoval import mongo
from tasks_app import families, lifecycle, maintenance, operations, registry
from tasks_app.conf import MAX_RESULT_BYTES
from tasks_app.documents import BATCH_LANE, TASKS
from tasks_app.errors import PermanentFailure, RetryLater
from tasks_app.executable import ChildOutcome, ChildTask, FanOut, NoParameters, TaskExecutable
from tasks_app.states import TaskStatus
from tests.support import stored
from tests.support.batches import children_of, family, plan
from tests.support.registered import registered
from tests.support.stored import Db, change, read
from tests.support.testtasks.executables import FamilyParameters, Sleep

S = TaskStatus


async def test_planted_children_are_ordinary_tasks_of_the_batch_lane(db: Db) -> None:
    parent, children = await family(db, 3, priority=4)

    assert [child["_id"] for child in children] == [families.child_id(parent["_id"], str(n)) for n in range(3)]
    for child in children:
        assert (child["status"], child["lane"], child["priority"]) == (S.QUEUED, BATCH_LANE, 4)
        assert (child["userId"], child["parentId"], child["taskType"]) == (parent["userId"], parent["_id"], "TEST_SLEEP")
        assert child["maxAttempts"] == registry.get("TEST_SLEEP").retry.max_attempts
    keys = [child["fairKey"] for child in children]
    assert keys == [keys[0], keys[0] + 1, keys[0] + 2]


async def test_planting_twice_inserts_nothing_twice(db: Db) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY")
    services = operations.services()

    totals = [await families.plant(db, parent, plan(3), services), await families.plant(db, parent, plan(5), services)]
    together = await asyncio.gather(*(families.plant(db, parent, plan(5), services) for _ in range(4)))

    assert totals == [3, 5]
    assert together == [5] * 4
    assert len(await children_of(db, parent)) == 5


async def test_a_batch_that_was_inserted_by_half_when_its_parent_died_is_planted_to_its_end(db: Db) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY", lease_seconds=-1.0)
    await families.plant(db, parent, plan(2), operations.services())
    assert await change(db, stored.recover({"_id": parent["_id"]})) == 1
    assert await families.roll_up(db) == 0, "half a batch cannot end"

    again = await stored.claimed(db, await read(db, parent["_id"]))
    total = await families.plant(db, again, plan(5), operations.services())
    assert await change(db, lifecycle.await_children(parent["_id"], stored.record(again), total=total)) == 1

    children = await children_of(db, parent)
    assert total == 5
    assert {child["_id"] for child in children} == {families.child_id(parent["_id"], str(n)) for n in range(5)}
    for child in children:
        await stored.end_child(db, child, S.COMPLETED)
    assert await families.roll_up(db) == 1
    assert (await read(db, parent["_id"]))["status"] == S.COMPLETED


async def test_children_that_no_majority_has_acknowledged_are_not_counted_as_planted(db: Db) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY")
    two_members = db.with_options(write_concern=WriteConcern(w=2, wtimeout=50))  # there is one
    with pytest.raises(BulkWriteError) as refusal:
        await families.plant(two_members, parent, plan(3), operations.services())
    assert mongo.is_unavailable(refusal.value)
    assert await families.plant(db, parent, plan(3), operations.services()) == 3


async def test_planting_again_leaves_children_alone_that_are_at_work(db: Db) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY")
    await families.plant(db, parent, plan(3), operations.services())
    first, second, _ = await children_of(db, parent)
    await stored.claimed(db, first)
    await stored.end_child(db, second, S.FAILED)
    before = await children_of(db, parent)

    await families.plant(db, parent, plan(3), operations.services())

    assert await children_of(db, parent) == before


async def test_the_parent_awaits_without_a_lease(db: Db) -> None:
    parent, _ = await family(db, 3)

    assert parent["status"] == S.RUNNING
    assert "lease" not in parent
    assert parent["children"]["total"] == 3
    assert parent["progress"] == {"percentage": 0, "message": None, "current": 0, "total": 3}


async def test_roll_up_counts_the_children_that_have_ended(db: Db) -> None:
    parent, children = await family(db, 4)
    await stored.end_child(db, children[0], S.COMPLETED)
    await stored.end_child(db, children[1], S.FAILED)
    await stored.claimed(db, children[2])

    assert await families.roll_up(db) == 0
    first = await read(db, parent["_id"])
    assert await families.roll_up(db) == 0

    assert first["progress"] == {"percentage": 50, "message": None, "current": 2, "total": 4}
    assert await read(db, parent["_id"]) == first, "a roll-up that finds nothing new changes nothing"


ENDINGS: list[tuple[list[TaskStatus], TaskStatus]] = [
    ([], S.COMPLETED),
    ([S.COMPLETED, S.COMPLETED], S.COMPLETED),
    ([S.COMPLETED, S.CANCELLED], S.COMPLETED),
    ([S.COMPLETED, S.FAILED], S.COMPLETED_WITH_ERRORS),
    ([S.COMPLETED, S.INTERRUPTED], S.COMPLETED_WITH_ERRORS),
    ([S.CANCELLED, S.FAILED], S.COMPLETED_WITH_ERRORS),
    ([S.FAILED, S.FAILED], S.FAILED),
    ([S.FAILED, S.INTERRUPTED], S.FAILED),
]


@pytest.mark.parametrize(("ends", "expected"), ENDINGS, ids=["+".join(ends) + "=" + end if ends else f"none={end}" for ends, end in ENDINGS])
async def test_a_parent_ends_as_its_children_did(db: Db, ends: list[TaskStatus], expected: TaskStatus) -> None:
    parent, children = await family(db, len(ends), errorInfo={"code": "worker_lost"})
    for child, end in zip(children, ends, strict=True):
        await stored.end_child(db, child, end)

    assert await families.roll_up(db, [parent["_id"]]) == 1

    after = await read(db, parent["_id"])
    assert after["status"] == expected
    assert after["result"] == {"completed": ends.count(S.COMPLETED), "other": len(ends) - ends.count(S.COMPLETED)}
    assert after["progress"] == {"percentage": 100, "message": None, "current": len(ends), "total": len(ends)}
    assert after["completedAt"] is not None
    assert (after["attempts"][-1]["outcome"], len(after["attempts"])) == ("failed" if expected == S.FAILED else "completed", 1)
    assert after.get("errorInfo", {}).get("code") == ("all_children_failed" if expected == S.FAILED else None)
    for child in await children_of(db, parent):
        assert child["expireAt"] == after["expireAt"] + families.CHILDREN_OUTLIVE


async def test_a_parent_does_not_end_before_all_children_are_planted(db: Db) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY")
    await families.plant(db, parent, plan(1), operations.services())
    [child] = await children_of(db, parent)
    await stored.end_child(db, child, S.COMPLETED)

    assert await families.roll_up(db, [parent["_id"]]) == 0

    assert await read(db, parent["_id"]) == parent


async def test_many_sweeps_at_once_end_a_parent_once(db: Db) -> None:
    parent, children = await family(db, 2)
    for child in children:
        await stored.end_child(db, child, S.COMPLETED)

    ended = await asyncio.gather(*(families.roll_up(db) for _ in range(8)))

    assert sum(ended) == 1
    assert len((await read(db, parent["_id"]))["attempts"]) == 1


async def test_counts_from_before_a_requeue_do_not_end_the_parents_next_life(db: Db) -> None:
    parent, children = await family(db, 1)
    await stored.end_child(db, children[0], S.FAILED)
    counts = (await families.count_children(db, [parent["_id"]]))[parent["_id"]]
    await families.roll_up(db)
    await operations.requeue(parent["_id"], user_id=None)
    again = await stored.claimed(db, await read(db, parent["_id"]))
    await families.plant(db, again, plan(1), operations.services())
    await change(db, lifecycle.await_children(parent["_id"], stored.record(again), total=1))
    before = await read(db, parent["_id"])

    assert await families._bring_up_to_date(db, parent | {"now": stored.now()}, counts) is False

    assert await read(db, parent["_id"]) == before


async def test_cancelling_a_parent_cancels_its_children_and_ends_after_the_last(db: Db) -> None:
    parent, children = await family(db, 4)
    await stored.end_child(db, children[0], S.COMPLETED)
    running = await stored.claimed(db, children[1])
    retrying = await stored.claimed(db, children[2])
    await change(db, stored.retry(retrying))

    answer = await operations.cancel(parent["_id"], user_id=None)
    await families.roll_up(db)

    assert answer["status"] == S.CANCELLING
    states = [child["status"] for child in await children_of(db, parent)]
    assert states == [S.COMPLETED, S.CANCELLING, S.CANCELLED, S.CANCELLED]
    assert (await read(db, parent["_id"]))["status"] == S.CANCELLING

    await change(db, stored.confirm_cancel(running))
    assert await families.roll_up(db) == 1

    after = await read(db, parent["_id"])
    assert (after["status"], after["result"]) == (S.CANCELLED, {"completed": 1, "other": 3})
    assert after["attempts"][-1]["outcome"] == "cancelled"


async def test_a_sweep_repeats_what_a_cancellation_left_undone(db: Db) -> None:
    """The process died between the parent's cancellation and its children's."""
    parent, children = await family(db, 2)
    await stored.claimed(db, children[0])
    await change(db, lifecycle.request_cancel({"_id": parent["_id"]}))

    await families.roll_up(db)

    assert [child["status"] for child in await children_of(db, parent)] == [S.CANCELLING, S.CANCELLED]


@pytest.mark.parametrize("status", [S.QUEUED, S.RETRYING])
async def test_cancelling_a_parent_that_has_to_plant_again_cancels_what_it_planted(db: Db, status: TaskStatus) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY", lease_seconds=-1)
    await families.plant(db, parent, plan(3), operations.services())
    await stored.claimed(db, (await children_of(db, parent))[0])
    await change(db, stored.recover({"_id": parent["_id"]}) if status is S.QUEUED else stored.retry(parent))

    answer = await operations.cancel(parent["_id"], user_id=None)

    assert answer["status"] == S.CANCELLED
    assert [child["status"] for child in await children_of(db, parent)] == [S.CANCELLING, S.CANCELLED, S.CANCELLED]


async def test_a_requeued_parent_runs_again_only_what_did_not_complete(db: Db) -> None:
    parent, children = await family(db, 4)
    for child, end in zip(children, (S.COMPLETED, S.FAILED, S.CANCELLED, S.INTERRUPTED), strict=True):
        await stored.end_child(db, child, end)
    await families.roll_up(db)
    ended = await children_of(db, parent)
    assert all("expireAt" in child for child in ended)

    queued = await operations.requeue(parent["_id"], user_id=None)
    assert [child["status"] for child in await children_of(db, parent)] == [S.COMPLETED, S.FAILED, S.CANCELLED, S.INTERRUPTED]
    again = await stored.claimed(db, await read(db, parent["_id"]))
    total = await families.plant(db, again, plan(4), operations.services())
    repeated = await families.plant(db, again, plan(4), operations.services())

    assert (queued["status"], queued["generation"], total, repeated) == (S.QUEUED, 1, 4, 4)
    after = {child["_id"]: child for child in await children_of(db, parent)}
    assert [after[child["_id"]]["status"] for child in children] == [S.COMPLETED, S.QUEUED, S.QUEUED, S.QUEUED]
    assert after[children[0]["_id"]]["result"] == {"answer": 42}
    assert all("expireAt" not in child for child in after.values())
    assert {after[child["_id"]]["generation"] for child in children[1:]} == {1}


async def test_a_batch_that_is_requeued_while_its_children_are_still_being_stopped_runs_them_again(db: Db) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY", lease_seconds=-1.0)
    await families.plant(db, parent, plan(2), operations.services())
    running, _ = await children_of(db, parent)
    running = await stored.claimed(db, running)
    await maintenance.recover_lost(db, {"_id": parent["_id"]})  # its worker is lost before it awaits them
    await operations.cancel(parent["_id"], user_id=None)
    await operations.requeue(parent["_id"], user_id=None)
    again = await stored.claimed(db, await read(db, parent["_id"]))

    with pytest.raises(RetryLater):
        await families.plant(db, again, plan(2), operations.services())
    await change(db, stored.confirm_cancel(running))
    await families.plant(db, again, plan(2), operations.services())

    assert [child["status"] for child in await children_of(db, parent)] == [S.QUEUED, S.QUEUED]


async def test_a_child_that_failed_again_in_this_life_is_not_run_a_second_time_by_planting_again(db: Db) -> None:
    parent, children = await family(db, 1)
    await stored.end_child(db, children[0], S.FAILED)
    await families.roll_up(db)
    await operations.requeue(parent["_id"], user_id=None)
    again = await stored.claimed(db, await read(db, parent["_id"]))
    await families.plant(db, again, plan(1), operations.services())
    await stored.end_child(db, (await children_of(db, parent))[0], S.FAILED)

    await families.plant(db, again, plan(1), operations.services())

    assert [child["status"] for child in await children_of(db, parent)] == [S.FAILED]


async def test_a_sweep_cancels_the_queued_children_of_ended_parents(db: Db) -> None:
    lost, alive = await stored.in_state(db, S.INTERRUPTED), (await family(db, 1))[0]
    queued = await stored.queued(db, parent_id=lost["_id"])
    running = await stored.running(db, parent_id=lost["_id"])

    assert await families.cancel_children_of_ended_parents(db) == 1

    assert (await read(db, queued["_id"]))["status"] == S.CANCELLED
    assert (await read(db, running["_id"]))["status"] == S.CANCELLING
    assert [child["status"] for child in await children_of(db, alive)] == [S.QUEUED]


async def test_a_parent_of_a_type_this_process_does_not_know_is_left_to_others(db: Db) -> None:
    parent = await stored.awaiting(db, task_type="FROM_THE_FUTURE")

    assert await families.roll_up(db) == 0

    assert (await read(db, parent["_id"]))["status"] == S.RUNNING


class Collects(TaskExecutable[FamilyParameters, NoParameters]):
    """A batch whose result cannot be made."""

    task_type = "TEST_COLLECTS"
    failure: ClassVar[Callable[[], NoParameters]]

    async def execute(self, parameters: FamilyParameters, ctx: Any) -> FanOut:
        return await ctx.fan_out([])

    def collect(self, parameters: FamilyParameters, children: Sequence[ChildOutcome]) -> NoParameters:
        return type(self).failure()


def _broken() -> NoParameters:
    raise RuntimeError("/etc/passwd was read")


def _odd_code() -> NoParameters:
    raise PermanentFailure("There is nothing.", code=frozenset({"empty"}))  # type: ignore[arg-type]


def _odd_details() -> NoParameters:
    raise PermanentFailure("There is nothing.", details=["no dictionary"])  # type: ignore[arg-type]


def _exits() -> NoParameters:
    sys.exit("That is all.")


def _looks_past_the_end() -> NoParameters:
    return next(iter(()))


class _Huge(NoParameters):
    text: str = "x" * (MAX_RESULT_BYTES + 1)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (_broken, "unexpected_error"),
        (_odd_code, "unexpected_error"),
        (_odd_details, "unexpected_error"),
        (_exits, "unexpected_error"),
        (_looks_past_the_end, "unexpected_error"),
        (_Huge, "result_too_large"),
        (lambda: {"not": "a model"}, "unexpected_error"),
    ],
)
async def test_a_batch_whose_result_cannot_be_made_fails_and_holds_up_no_other(db: Db, failure: Callable[[], NoParameters], code: str) -> None:
    Collects.failure = failure
    with registered(Collects):
        broken = await stored.awaiting(db, task_type="TEST_COLLECTS")
        cancelled = await stored.awaiting(db, task_type="TEST_COLLECTS")
        await change(db, lifecycle.request_cancel({"_id": cancelled["_id"]}))
        other = await stored.awaiting(db)

        assert await families.roll_up(db) == 3

    after = await read(db, broken["_id"])
    assert (after["status"], after["errorInfo"]["code"], after["attempts"][-1]["outcome"]) == (S.FAILED, code, "failed")
    assert "passwd" not in after["errorInfo"]["message"]
    assert "expireAt" in after
    assert (await read(db, cancelled["_id"]))["status"] == S.CANCELLED
    assert (await read(db, other["_id"]))["status"] == S.COMPLETED


async def test_the_loop_goes_on_while_a_batchs_result_is_made(db: Db) -> None:
    went_on = threading.Event()

    def waits_for_the_loop() -> NoParameters:
        assert went_on.wait(5.0)
        return NoParameters()

    Collects.failure = waits_for_the_loop
    with registered(Collects):
        parent = await stored.awaiting(db, task_type="TEST_COLLECTS")
        rolling_up = asyncio.create_task(families.roll_up(db))
        asyncio.get_running_loop().call_later(0.3, went_on.set)
        await rolling_up

    assert (await read(db, parent["_id"]))["status"] == S.COMPLETED


async def test_a_batch_whose_parameters_fit_its_type_no_more_fails_when_its_children_have_ended(db: Db) -> None:
    parent = await stored.awaiting(db, parameters={"ofAFormerVersion": 1})

    assert await families.roll_up(db) == 1

    after = await read(db, parent["_id"])
    assert (after["status"], after["errorInfo"]["code"]) == (S.FAILED, "invalid_parameters")


async def test_children_run_again_with_what_an_edited_parent_plans_for_them_and_others_stay_as_they_are(db: Db) -> None:
    parent, children = await family(db, 4)
    for child, end in zip(children, (S.COMPLETED, S.FAILED, S.FAILED, S.FAILED), strict=True):
        await stored.end_child(db, child, end)
    await db[TASKS].update_many({"parentId": parent["_id"]}, {"$set": {"draft": {"text": "paid for"}}})
    await families.roll_up(db)
    await operations.requeue(parent["_id"], user_id=None)
    again = await stored.claimed(db, await read(db, parent["_id"]))
    planned = [plan(4)[0], ChildTask("1", "TEST_SLEEP", Sleep(seconds=9.0)), plan(4)[2]]

    for _ in range(2):
        assert await families.plant(db, again | {"priority": 7}, planned, operations.services()) == 4

    after = {child["_id"]: child for child in await children_of(db, parent)}
    done, edited, kept, unplanned = (after[child["_id"]] for child in children)
    assert [child["status"] for child in (done, edited, kept, unplanned)] == [S.COMPLETED, S.QUEUED, S.QUEUED, S.FAILED]
    assert (edited["parameters"]["seconds"], edited["priority"], "draft" in edited) == (9.0, 7, False)
    assert (kept["parameters"]["seconds"], kept["priority"], kept["draft"]) == (0.0, 7, {"text": "paid for"})
    assert unplanned["generation"] == 0
