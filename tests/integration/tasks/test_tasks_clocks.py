"""Machines whose clocks are wrong: when a task is due, and when it was what, is for MongoDB's clock to say."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tasks_app import families, operations
from tasks_app.conf import task_settings
from tasks_app.documents import TASKS
from tasks_app.executable import ChildTask
from tasks_app.states import TaskStatus
from tasks_app.worker.claims import Claimer
from tasks_app.worker.limits import Limits
from tests.support import stored
from tests.support.stored import Db, read
from tests.support.testtasks.executables import Sleep

AHEAD, BEHIND = timedelta(minutes=10), timedelta(minutes=-10)

pytestmark = pytest.mark.parametrize("wrong", [AHEAD, BEHIND], ids=["ahead", "behind"])


@contextmanager
def a_clock_that_is(wrong: timedelta) -> Iterator[None]:
    with time_machine.travel(datetime.now(UTC) + wrong, tick=True):
        yield


def is_now(moment: datetime) -> bool:
    return abs((moment - datetime.now(UTC)).total_seconds()) < 30


async def claim(db: Db) -> list[str]:
    return [task["_id"] for task in (await Claimer(db, "host:1", Limits(0, 0, {}, {}), task_settings()).claim(10)).tasks]


async def test_a_task_submitted_on_such_a_machine_is_due_at_once(db: Db, wrong: timedelta) -> None:
    with a_clock_that_is(wrong):
        submitted = await operations.submit("alice", "TEST_NOOP", {})
        together = await operations.submit_many("alice", "TEST_NOOP", [{}, {}])

    ids = [submitted.task_id, *(each.task_id for each in together)]
    assert sorted(await claim(db)) == sorted(ids)
    assert all(is_now(task["createdAt"]) for task in await db[TASKS].find({"_id": {"$in": ids}}).to_list(None))


async def test_children_planted_by_such_a_machine_are_due_at_once(db: Db, wrong: timedelta) -> None:
    parent = await stored.running(db, task_type="TEST_FAMILY")

    with a_clock_that_is(wrong):
        await families.plant(db, parent, [ChildTask("1", "TEST_SLEEP", Sleep(seconds=0.0))], operations.services())

    child = families.child_id(parent["_id"], "1")
    assert await claim(db) == [child]
    assert is_now((await read(db, child))["createdAt"])


async def test_a_batch_that_such_a_machine_ends_has_ended_now(db: Db, wrong: timedelta) -> None:
    parent = await stored.awaiting(db, total=2)
    children = [await stored.queued(db, parent_id=parent["_id"], task_type="TEST_SLEEP") for _ in range(2)]

    for ended, child in enumerate(children, start=1):
        await stored.end_child(db, child, TaskStatus.COMPLETED)
        with a_clock_that_is(wrong):
            assert await families.roll_up(db) == ended - 1
        after = await read(db, parent["_id"])
        assert is_now(after["updatedAt"])

    assert is_now(after["completedAt"])
    assert is_now(after["attempts"][-1]["endedAt"])
    assert is_now(after["expireAt"] - timedelta(seconds=task_settings().retention_seconds))
