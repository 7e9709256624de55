"""A user's list: in order, whatever is asked for, and by reading little more of the index than is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import product
from operator import itemgetter
from typing import Any

import pytest

from ainoval import mongo
from tasks_app import queries
from tasks_app.documents import TASKS
from tasks_app.fairness import FairShares
from tasks_app.queries import TaskFilter
from tasks_app.states import TaskStatus as S
from tests.support import stored
from tests.support.databases import own_database
from tests.support.stored import Db, Json

NOW = stored.now()
COMPLETED = 400
ONE_PER_STATUS = len(S)

FILTERS = {
    "everything": TaskFilter("alice"),
    "with children": TaskFilter("alice", include_children=True),
    "a status": TaskFilter("alice", statuses=(S.FAILED,)),
    "what is under way": TaskFilter("alice", statuses=(S.QUEUED, S.RUNNING)),
    "a type": TaskFilter("alice", task_types=("TEST_SLEEP",)),
    "a type's failed": TaskFilter("alice", statuses=(S.FAILED,), task_types=("TEST_SLEEP",), include_children=True),
    "a renamed type": TaskFilter("alice", task_types=("TEST_SLEEP", "TEST_NOOP")),
    "a batch's": TaskFilter("alice", parent_id="a" * 24),
    "a batch's failed": TaskFilter("alice", parent_id="a" * 24, statuses=(S.FAILED,)),
}


async def population(db: Db) -> list[Json]:
    """Many completed tasks of Alice, a few of each other status, some in a batch, some created in the same millisecond; and some of Bob."""
    statuses = [S.COMPLETED] * COMPLETED + [status for status in S if status is not S.COMPLETED for _ in range(4)]
    tasks = []
    for number, status in enumerate(statuses):
        fields: Json = {"status": status.value, "createdAt": NOW - timedelta(minutes=number * 7 % 50)}
        fields["updatedAt"] = NOW - timedelta(minutes=number * 3 % 40)
        parent = {"parent_id": "a" * 24} if number % 5 == 0 else {}
        tasks.append(stored.task("alice", "TEST_SLEEP" if number % 3 else "TEST_NOOP", **parent, **fields))
    await db[TASKS].insert_many([*tasks, *(stored.task("bob", status=S.COMPLETED.value) for _ in range(100))])
    return tasks


@pytest.fixture
async def alone() -> AsyncIterator[Db]:
    """A database of the test's own: what an earlier test began to count may still be read in the shared one, and would be noted, too."""
    with own_database():
        yield mongo.database()
        await mongo.close()


@asynccontextmanager
async def profiled(db: Db) -> AsyncIterator[list[Json]]:
    """Yield a list that holds, afterwards, what MongoDB noted of each reading command on the tasks."""
    noted: list[Json] = []
    await db.command("profile", 2)
    try:
        yield noted
    finally:
        await db.command("profile", 0)
    reading = {"ns": f"{db.name}.{TASKS}", "op": {"$in": ["query", "command"]}}
    noted += await db["system.profile"].find(reading).to_list(None)
    assert noted


def _matches(wanted: TaskFilter, task: Json) -> bool:
    return (
        (not wanted.statuses or S(task["status"]) in wanted.statuses)
        and (not wanted.task_types or task["taskType"] in wanted.task_types)
        and (task["parentId"] == wanted.parent_id if wanted.parent_id else wanted.include_children or task["parentId"] is None)
    )


@pytest.mark.parametrize("name", FILTERS)
async def test_pages_show_what_a_plain_filter_finds_once_and_in_order(db: Db, name: str) -> None:
    tasks = await population(db)
    wanted = FILTERS[name]
    for sort_by, descending in product(("createdAt", "updatedAt"), (True, False)):
        in_order = sorted(tasks, key=itemgetter(sort_by, "_id"), reverse=descending)
        expected = [task["_id"] for task in in_order if _matches(wanted, task)]
        assert expected

        size = max(len(expected) // 3, 1)
        shown: list[str] = []
        for number in range(-(-len(expected) // size)):
            found = await queries.page(wanted, page=number, size=size, sort_by=sort_by, descending=descending)
            assert found.total == len(expected)
            shown += [task["_id"] for task in found.items]

        assert shown == expected, (sort_by, descending)


@pytest.mark.parametrize(("name", "passed"), [("everything", ONE_PER_STATUS), ("with children", 2 * ONE_PER_STATUS), ("what is under way", 2), ("a status", 1)])
async def test_a_page_by_creation_reads_little_more_than_it_shows(alone: Db, name: str, passed: int) -> None:
    await population(alone)

    async with profiled(alone) as noted:
        found = await queries.page(FILTERS[name], page=0, size=3)

    assert len(found.items) == 3
    [search] = [command for command in noted if command["op"] == "query"]
    # Of each stream its first key is read to merge them, and one more where the range of the next begins.
    assert search["keysExamined"] <= 3 + 2 * passed
    assert search["docsExamined"] <= 3 + passed
    assert not search.get("hasSortStage")


async def test_no_page_is_sorted_in_memory_nor_read_from_the_collection(alone: Db) -> None:
    await population(alone)

    async with profiled(alone) as noted:
        for wanted, sort_by in product(FILTERS.values(), ("createdAt", "updatedAt")):
            await queries.page(wanted, page=0, size=3, sort_by=sort_by)

    assert len(noted) == 2 * 2 * len(FILTERS), "a search and a count each"
    assert not [command for command in noted if command.get("hasSortStage") or "COLLSCAN" in command["planSummary"]]


async def test_what_is_under_way_is_counted_without_the_history(alone: Db) -> None:
    await population(alone)

    async with profiled(alone) as noted:
        found = await queries.page(FILTERS["what is under way"], page=0, size=1)

    [count] = [command for command in noted if command["op"] == "command" and "count" in command["command"]]
    assert count["keysExamined"] <= found.total + 4
    assert not count["docsExamined"]


@pytest.mark.parametrize("name", ["a type", "a type's failed"])
async def test_a_type_is_a_condition_on_the_keys_and_not_a_leap_for_each(db: Db, name: str) -> None:
    await population(db)
    query = {"explain": {"count": TASKS, "query": FILTERS[name].query(), "hint": "user_created"}, "verbosity": "executionStats"}

    scan: Any = (await db.command(query))["executionStats"]["executionStages"]["inputStage"]

    assert scan["stage"] == "IXSCAN"
    assert scan["seeks"] <= 2 * ONE_PER_STATUS


async def test_the_queue_of_a_user_is_counted_without_the_history(alone: Db) -> None:
    await population(alone)
    shares = FairShares(alone)
    await shares.admit("alice", 1, rate=0, cap=1)

    async with profiled(alone) as noted:
        assert not (await shares.admit("alice", 1, rate=0, cap=1)).granted

    assert sum(command["keysExamined"] for command in noted) < 10
