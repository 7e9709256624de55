"""Endings merged into one statement: each task ends as its own write would have ended it, and each is fenced by its own token."""

from collections.abc import Callable
from typing import Any

import pytest

from tasks_app import lifecycle
from tasks_app.documents import TASKS
from tasks_app.lifecycle import Transition, merged
from tasks_app.lifecycle.merging import MAX_MERGED, MAX_MERGED_BYTES
from tasks_app.outcomes import ErrorRecord
from tests.support import stored
from tests.support.stored import Db, Json, change, read

# Values that a pipeline would evaluate, or that equal each other and are not the same.
RESULTS: list[Json] = [
    {"text": "$status"},
    {"text": {"$add": [1, 2]}},
    {"n": 1},
    {"n": 1.0},
    {"n": True},
    {"n": None},
    {},
    {"deep": [{"a.b": ["雨", "$$NOW"]}]},
]

COMMON = {"_id", "lease", "attempts", "startedAt", "createdAt", "updatedAt", "completedAt", "expireAt", "availableAt", "fairKey"}


def completing(document: Json, number: int) -> Transition:
    return stored.complete(document, result=RESULTS[number % len(RESULTS)])


def with_usage(document: Json, number: int) -> Transition:
    record = stored.record(document, prompt_tokens=number, completion_tokens=7)
    return lifecycle.complete(document["_id"], record, result={"n": number}, progress=dict(lifecycle.NO_PROGRESS), expire_at=None)


def failing(document: Json, number: int) -> Transition:
    error = ErrorRecord("broken", f"$message {number}", {"number": number}, retryable=False, traceback="$trace")
    return lifecycle.fail(document["_id"], stored.record(document), error, progress=dict(lifecycle.NO_PROGRESS), expire_at=None)


def retrying(document: Json, number: int) -> Transition:
    return stored.retry(document, delay=float(number), burns_attempt=bool(number % 2), waited=number / 2)


def reporting(document: Json, number: int) -> Transition:
    progress = {"percentage": number, "message": "$title", "current": number, "total": None}
    return lifecycle.report_progress(document["_id"], stored.record(document).token, progress, stored.now())


def drafting(document: Json, number: int) -> Transition:
    return lifecycle.save_draft(document["_id"], stored.record(document).token, {"text": f"$draft {number}"})


def told(document: Json) -> str:
    """All that two tasks must have in common, types included."""
    token = document.get("draftToken", "no draft")
    return repr({name: value for name, value in document.items() if name not in COMMON}).replace(token, "TOKEN")


KINDS = [completing, with_usage, failing, retrying, reporting, drafting, lambda d, n: stored.release(d)]


async def running(db: Db, number: int, **fields: Any) -> list[Json]:
    return [await stored.running(db, **fields) for _ in range(number)]


@pytest.mark.parametrize("kind", KINDS, ids=["complete", "with_usage", "fail", "retry", "progress", "draft", "release"])
async def test_a_merged_write_leaves_each_task_as_its_own_write_would(db: Db, kind: Callable[[Json, int], Transition]) -> None:
    alone, together = await running(db, 16, usage={"promptTokens": 1}), await running(db, 16, usage={"promptTokens": 1})
    for number, document in enumerate(alone):
        assert await change(db, kind(document, number)) == 1

    [one] = merged([kind(document, number) for number, document in enumerate(together)])
    assert await change(db, one) == 16

    for first, second in zip(alone, together, strict=True):
        expected, found = await read(db, first["_id"]), await read(db, second["_id"])
        assert told(found) == told(expected)
        assert found.keys() == expected.keys()
        same = {"attempt", "outcome", "worker", "error", "usage"}
        assert [{name: entry.get(name) for name in same} for entry in found["attempts"]] == [
            {name: entry.get(name) for name in same} for entry in expected["attempts"]
        ]
        assert [entry["token"] for entry in found["attempts"]] == [second["lease"]["token"] for _ in found["attempts"]]


async def test_each_task_of_a_merged_write_is_fenced_by_its_own_token(db: Db) -> None:
    mine, lost, other = await running(db, 3)
    # Taken away and claimed anew under the token of a task that is in the same statement.
    await db[TASKS].update_one({"_id": lost["_id"]}, {"$set": {"lease.token": other["lease"]["token"]}})
    before = await read(db, lost["_id"])

    [one] = merged([stored.complete(document) for document in (mine, lost, other)])
    assert await change(db, one) == 2

    assert await read(db, lost["_id"]) == before
    assert [(await read(db, d["_id"]))["status"] for d in (mine, other)] == ["COMPLETED", "COMPLETED"]


async def test_a_task_in_another_state_is_left_alone_by_a_merged_write(db: Db) -> None:
    first, second = await running(db, 2)
    assert await change(db, lifecycle.request_cancel({"_id": first["_id"]})) == 1

    [one] = merged([stored.fail(first), stored.fail(second)])
    assert await change(db, one) == 1

    assert [(await read(db, d["_id"]))["status"] for d in (first, second)] == ["CANCELLING", "FAILED"]


async def test_writes_that_change_different_things_and_those_of_no_attempt_stay_apart(db: Db) -> None:
    documents = await running(db, 4)
    transitions = [
        stored.complete(documents[0]),
        stored.complete(documents[1]),
        stored.fail(documents[2]),
        lifecycle.mark_applied(documents[3]["_id"], stored.now(), {}),
        lifecycle.promote(),
    ]

    parts = merged(transitions)

    assert sorted(part.name for part in parts) == ["applied", "complete", "fail", "promote"]
    assert [await change(db, part) for part in parts if part.name != "promote"] in ([1, 1, 2], [1, 2, 1], [2, 1, 1])


def test_a_merged_write_is_bounded_in_number_and_in_bytes() -> None:
    document = {"_id": "task", "attempt": 1, "lease": {"token": "t"}, "startedAt": stored.now()}

    many = merged([stored.complete(document) for _ in range(2 * MAX_MERGED + 1)])
    assert [len(part.filter["_id"]["$in"]) for part in many[:2]] == [MAX_MERGED, MAX_MERGED]
    assert many[2].filter["_id"] == "task"

    large = {"text": "x" * (MAX_MERGED_BYTES // 2 - 2_000)}
    assert [len(part.filter["_id"]["$in"]) for part in merged([stored.complete(document, result=large) for _ in range(4)])] == [2, 2]
