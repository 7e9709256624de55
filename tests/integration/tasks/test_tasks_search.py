"""Finding tasks: every selection by an index and in order, page by page, with a budget for what is rare."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import search
from tasks_app.documents import TASKS
from tasks_app.search import Position
from tasks_app.selection import MAX_STREAMS, NEWEST_FIRST, OLDEST_FIRST, Selection
from tasks_app.states import TaskStatus as S
from tests.support import stored

Json = dict[str, Any]
Db = AsyncDatabase[Json]

NOW = stored.now()
FIELDS = {"status": 1, "createdAt": 1}
IDS = {"createdAt": 1}

SELECTIONS = {
    "everything": Selection(),
    "without children": Selection(children=False),
    "a status": Selection(statuses=frozenset({S.FAILED})),
    "types": Selection(task_types=("TEST_NOOP", "TEST_SLEEP")),
    "an age": Selection(created_after=NOW - timedelta(days=1), created_before=NOW),
    "an error": Selection(error_code="it_broke", statuses=frozenset({S.FAILED, S.COMPLETED})),
    "ended before": Selection(statuses=frozenset({S.FAILED, S.INTERRUPTED}), ended_before=NOW, children=False),
    "a user": Selection(user_id="alice"),
    "a user's failed": Selection(user_id="alice", children=False, statuses=frozenset({S.FAILED}), task_types=("TEST_NOOP",), error_code="it_broke"),
    "a user's novel": Selection(user_id="alice", subject_ids=("novel", "scene")),
    "a batch's": Selection(parent_id="a" * 24, statuses=frozenset({S.FAILED, S.QUEUED}), task_types=("TEST_NOOP",), error_code="it_broke"),
}


def stages(plan: Any) -> set[str]:
    """Return the names of all stages of a plan."""
    if isinstance(plan, dict):
        own = {plan["stage"]} if "stage" in plan else set()
        return own.union(*(stages(value) for value in plan.values()))
    return set().union(*(stages(item) for item in plan)) if isinstance(plan, list) else set()


async def population(db: Db) -> list[Json]:
    """Forty tasks of two users, two types, four states and a batch, some created in the same millisecond; the newest first."""
    statuses = [S.COMPLETED, S.FAILED, S.QUEUED, S.RUNNING]
    tasks = []
    for number in range(40):
        fields: Json = {
            "status": statuses[number % 4].value,
            "createdAt": NOW - timedelta(minutes=number // 3),
            "parameters": {"sceneId": f"scene-{number % 5}"},
        }
        if statuses[number % 4] is S.FAILED:
            fields["errorInfo"] = {"code": "it_broke" if number % 8 == 1 else "rate_limited"}
        if statuses[number % 4].is_terminal:
            fields["completedAt"] = NOW - timedelta(minutes=number // 3)
        parent = {"parent_id": "a" * 24} if number % 3 == 0 else {}
        tasks.append(stored.task("alice" if number % 2 else "bob", "TEST_NOOP" if number % 5 else "TEST_SLEEP", **parent, **fields))
    await db[TASKS].insert_many(tasks)
    return sorted(tasks, key=lambda task: (task["createdAt"], task["_id"]), reverse=True)


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("sort", [NEWEST_FIRST, OLDEST_FIRST])
@pytest.mark.parametrize("place", [None, Position(NOW - timedelta(minutes=5), "x")])
async def test_every_selection_is_read_in_order_from_an_index(db: Db, name: str, sort: list[tuple[str, int]], place: Position | None) -> None:
    await population(db)
    selection = await search.complete(db, SELECTIONS[name])
    query = {"$and": [selection.query(), place.older() if sort is NEWEST_FIRST else place.newer()]} if place else selection.query()
    command = {"find": TASKS, "filter": query, "sort": dict(sort), "hint": selection.index(), "limit": 51}
    plan = (await db.command({"explain": command, "verbosity": "executionStats"}))["queryPlanner"]["winningPlan"]
    assert "IXSCAN" in stages(plan)
    assert not {"COLLSCAN", "SORT"} & stages(plan)


@pytest.mark.parametrize("name", SELECTIONS)
async def test_a_selection_finds_what_a_plain_filter_finds(db: Db, name: str) -> None:
    tasks = await population(db)
    selection = SELECTIONS[name]
    found = await search.page(db, selection, FIELDS, size=100)
    expected = [task["_id"] for task in tasks if _matches(selection, task)]
    assert [task["_id"] for task in found.tasks] == expected
    assert expected and not found.more


def _matches(selection: Selection, task: Json) -> bool:
    created = task["createdAt"]
    return (
        S(task["status"]) in selection.statuses
        and (selection.children or task["parentId"] is None)
        and (selection.user_id in (None, task["userId"]))
        and (not selection.task_types or task["taskType"] in selection.task_types)
        and (selection.parent_id in (None, task["parentId"]))
        and (selection.error_code in (None, task.get("errorInfo", {}).get("code")))
        and (not selection.subject_ids or task["parameters"]["sceneId"] in selection.subject_ids)
        and (selection.created_after is None or created > selection.created_after)
        and (selection.created_before is None or created <= selection.created_before)
        and (selection.ended_before is None or (task["completedAt"] is not None and task["completedAt"] <= selection.ended_before))
    )


SELECTIONS["a user's novel"] = Selection(user_id="alice", subject_ids=("scene-1", "scene-2"))


@pytest.mark.parametrize("selection", [Selection(), Selection(user_id="alice", statuses=frozenset({S.FAILED, S.QUEUED, S.RUNNING}))])
async def test_pages_forwards_and_back_show_every_task_once_in_order(db: Db, selection: Selection) -> None:
    expected = [task["_id"] for task in await population(db) if _matches(selection, task)]
    seen: list[Json] = []
    before: Position | None = None
    while True:
        found = await search.page(db, selection, IDS, size=7, before=before)
        seen += found.tasks
        if not found.more:
            break
        before = found.reached or Position.of(found.tasks[-1])
    assert [task["_id"] for task in seen] == expected
    back: list[Json] = []
    after: Position | None = Position.of(seen[-1])
    while after:
        found = await search.page(db, selection, IDS, size=7, after=after)
        back = found.tasks + back
        after = (found.reached or Position.of(found.tasks[0])) if found.more else None
    assert back == seen[:-1]


async def test_ids_are_found_in_order_and_with_the_other_filters(db: Db) -> None:
    tasks = await population(db)
    ids = tuple(task["_id"] for task in tasks[:9])
    found = await search.page(db, Selection(task_ids=ids, statuses=frozenset({S.QUEUED, S.FAILED}), user_id="alice"), IDS, size=50)
    assert [task["_id"] for task in found.tasks] == [task["_id"] for task in tasks[:9] if task["status"] in (S.QUEUED, S.FAILED) and task["userId"] == "alice"]


async def test_a_search_for_something_rare_says_how_far_it_has_come_and_goes_on_from_there(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among enough tasks that one millisecond does not do for them; the budgets are shipped constants."""
    rare = stored.task(createdAt=NOW - timedelta(days=90), status=S.FAILED.value, errorInfo={"code": "rare"})
    common = [stored.task(createdAt=NOW - timedelta(minutes=number), status=S.FAILED.value, errorInfo={"code": "common"}) for number in range(12_000)]
    await db[TASKS].insert_many([rare, *common], ordered=False)
    monkeypatch.setattr(search, "AT_ONCE_SECONDS", 0.001)
    monkeypatch.setattr(search, "BUDGET_SECONDS", 0.002)
    found = await search.page(db, Selection(error_code="rare"), FIELDS, size=50)
    assert found.tasks == [] and found.more and found.reached is not None
    rounds = 1
    while found.reached:
        assert found.reached.created_at > rare["createdAt"]
        last = found.reached
        found = await search.page(db, Selection(error_code="rare"), FIELDS, size=50, before=last)
        assert found.reached is None or found.reached < last
        rounds += 1
    assert [task["_id"] for task in found.tasks] == [rare["_id"]]
    assert rounds > 2


async def test_more_types_than_mongodb_merges_are_still_in_order(db: Db) -> None:
    tasks = [
        stored.task(task_type=f"TYPE_{number:02d}", createdAt=NOW - timedelta(seconds=number), status=S.FAILED.value if number % 2 else S.QUEUED.value)
        for number in range(40)
    ]
    await db[TASKS].insert_many(tasks)
    complete = await search.complete(db, Selection())
    assert 9 * 2 * 40 > MAX_STREAMS and len(complete.parts()) > 1
    found = await search.page(db, Selection(), IDS, size=30)
    assert [task["_id"] for task in found.tasks] == [task["_id"] for task in tasks[:30]]


async def test_newer_tasks_are_counted_to_a_limit(db: Db) -> None:
    tasks = await population(db)
    place = Position.of(tasks[10])
    assert await search.count_newer(db, Selection(), place, limit=100) == 10
    assert await search.count_newer(db, Selection(), place, limit=4) == 4
    assert await search.count_newer(db, Selection(), Position.of(tasks[0]), limit=100) == 0


async def test_the_types_that_occur_are_found_without_reading_documents(db: Db) -> None:
    await population(db)
    assert await search.stored_types(db) == ("TEST_NOOP", "TEST_SLEEP")
    plan = await db.command({"explain": {"distinct": TASKS, "key": "taskType", "query": Selection().query()}, "verbosity": "queryPlanner"})
    assert "DISTINCT_SCAN" in stages(plan) and not {"COLLSCAN", "FETCH"} & stages(plan)
