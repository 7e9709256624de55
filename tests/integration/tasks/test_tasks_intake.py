"""Submissions that arrive together: admitted and stored together, each answered for itself."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings as django_settings
from pymongo import WriteConcern, monitoring
from pymongo.errors import AutoReconnect, NotPrimaryError, PyMongoError, ServerSelectionTimeoutError, WaitQueueTimeoutError, WriteConcernError

from ainoval import mongo
from ainoval.ids import new_id
from tasks_app import operations
from tasks_app.documents import TASKS, USERS, new_task
from tasks_app.errors import InvalidParameters, QueueFull, RateLimited
from tasks_app.fairness import FairShares
from tasks_app.intake import Intake, MakeTask, intake
from tests.support import stored
from tests.support.stored import Db, Json


def limited(settings: Any, **limits: int) -> None:
    settings.AINOVAL = django_settings.AINOVAL.model_copy(update=limits)


async def submit(user: str, number: int) -> list[object]:
    return await asyncio.gather(*(operations.submit(user, "TEST_NOOP", {}) for _ in range(number)), return_exceptions=True)


async def test_of_a_crowd_as_many_are_stored_as_the_rate_allows_and_each_of_the_others_hears_why(db: Db, settings: Any) -> None:
    limited(settings, tasks_submit_rate=60)

    answers = await submit("alice", 100)

    accepted = [answer for answer in answers if isinstance(answer, operations.Submitted)]
    assert len(accepted) in (60, 61)  # a token may have come back meanwhile
    assert {type(answer) for answer in answers} == {operations.Submitted, RateLimited}
    assert await db[TASKS].count_documents({}) == len(accepted)
    assert all(isinstance(answer, operations.Submitted) for answer in answers[: len(accepted)]), "who came first is served first"


async def test_of_a_crowd_as_many_are_stored_as_the_queue_has_room_for(db: Db, settings: Any) -> None:
    limited(settings, tasks_max_queued_per_user=30, tasks_submit_rate=0)

    answers = await submit("alice", 20)
    assert all(isinstance(answer, operations.Submitted) for answer in answers)
    # Half of them end, which the hint does not know.
    ended = await db[TASKS].find({}, {"_id": 1}).limit(10).to_list(None)
    await db[TASKS].update_many({"_id": {"$in": [task["_id"] for task in ended]}}, {"$set": {"status": "COMPLETED"}})

    answers = await submit("alice", 30)

    assert sum(isinstance(answer, operations.Submitted) for answer in answers) == 20
    assert sum(isinstance(answer, QueueFull) for answer in answers) == 10
    assert await db[TASKS].count_documents({"status": "QUEUED"}) == 30


async def test_users_of_a_crowd_get_keys_of_their_own_one_apart(db: Db) -> None:
    await asyncio.gather(submit("alice", 40), submit("bob", 10))

    for user, number in (("alice", 40), ("bob", 10)):
        keys = [task["fairKey"] async for task in db[TASKS].find({"userId": user}).sort("fairKey", 1)]
        assert keys == [float(key) for key in range(1, number + 1)]
        assert (await db[USERS].find_one({"_id": user}) or {})["fairKey"] == float(number)


async def test_an_id_that_is_taken_fails_alone(db: Db) -> None:
    taken = await stored.queued(db)

    def make(task_id: str) -> MakeTask:
        return lambda key, now: new_task(
            task_id=task_id, user_id="alice", task_type="TEST_NOOP", parameters={}, now=now, fair_key=key, priority=0, max_attempts=1
        )

    ids = [new_id(), taken["_id"], new_id()]
    answers = await asyncio.gather(*(intake(db).store("alice", make(task_id)) for task_id in ids), return_exceptions=True)

    assert [type(answer).__name__ for answer in answers] == ["NoneType", "DuplicateKeyError", "NoneType"]
    assert await db[TASKS].count_documents({}) == 3


async def test_a_submitter_that_gives_up_takes_nobody_with_it(db: Db) -> None:
    first = asyncio.create_task(operations.submit("alice", "TEST_NOOP", {}))
    others = [asyncio.create_task(operations.submit("alice", "TEST_NOOP", {})) for _ in range(10)]
    await asyncio.sleep(0)
    first.cancel()

    answers = await asyncio.gather(*others)

    assert await db[TASKS].count_documents({"_id": {"$in": [answer.task_id for answer in answers]}}) == 10


STEPPED_DOWN = {"errorLabels": ["RetryableWriteError"]}


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("key", [None, "a key"])
@pytest.mark.parametrize("error", [AutoReconnect("closed"), NotPrimaryError("not primary"), WriteConcernError("stepped down", 189, STEPPED_DOWN)])
async def test_a_submission_whose_insert_met_a_broken_connection_is_stored_once_and_accepted(
    db: Db, monkeypatch: pytest.MonkeyPatch, executed: bool, key: str | None, error: PyMongoError
) -> None:
    write_once = mongo.write_once

    async def breaks(*args: Any) -> None:
        if executed:
            await write_once(*args)
        raise error

    monkeypatch.setattr(mongo, "write_once", breaks)
    submitted = await operations.submit("alice", "TEST_NOOP", {}, idempotency_key=key)
    monkeypatch.undo()

    assert [task["_id"] async for task in db[TASKS].find({})] == [submitted.task_id]
    if key:
        assert await operations.submit("alice", "TEST_NOOP", {}, idempotency_key=key) == operations.Submitted(submitted.task_id, replayed=True)


@pytest.mark.parametrize("error", [ServerSelectionTimeoutError("no primary"), WaitQueueTimeoutError("no connection"), WriteConcernError("late", 64, {})])
async def test_a_submission_that_has_waited_long_enough_is_not_tried_again(db: Db, monkeypatch: pytest.MonkeyPatch, error: PyMongoError) -> None:
    async def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(mongo, "write_once", fails)
    with pytest.raises(type(error)):
        await operations.submit("alice", "TEST_NOOP", {})
    assert await db[TASKS].count_documents({}) == 0


async def test_a_submission_that_no_majority_has_acknowledged_is_not_accepted(db: Db) -> None:
    door = Intake(db.with_options(write_concern=WriteConcern(w=2, wtimeout=20)))  # there is one member
    with pytest.raises(WriteConcernError):
        await door.store("alice", lambda key, now: stored.task("alice", fairKey=key))
    assert await db[TASKS].count_documents({}) == 1, "it was executed"


class Inserts(monitoring.CommandListener):
    """Counts the inserts and the admissions that the driver sends."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.admissions = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "insert":
            self.groups.append(len(event.command["documents"]))
        self.admissions += event.command_name == "findAndModify"

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


async def test_a_crowd_is_stored_by_few_inserts(db: Db) -> None:
    from pymongo import AsyncMongoClient

    inserts = Inserts()
    client: AsyncMongoClient[Json] = AsyncMongoClient(mongo.uri(), event_listeners=[inserts])
    try:
        door = Intake(client[db.name])

        def make(key: float, now: datetime) -> Json:
            return new_task(task_id=new_id(), user_id="alice", task_type="TEST_NOOP", parameters={}, now=now, fair_key=key, priority=0, max_attempts=1)

        await asyncio.gather(*(door.store("alice", make) for _ in range(200)))
    finally:
        await client.close()

    assert sum(inserts.groups) == 200
    assert len(inserts.groups) <= 3


async def test_who_submits_one_task_after_the_other_is_admitted_for_several_at_once(db: Db) -> None:
    from pymongo import AsyncMongoClient

    inserts = Inserts()
    client: AsyncMongoClient[Json] = AsyncMongoClient(mongo.uri(), event_listeners=[inserts])
    began = stored.now()
    try:
        door = Intake(client[db.name])

        def make(key: float, now: datetime) -> Json:
            return new_task(task_id=new_id(), user_id="alice", task_type="TEST_NOOP", parameters={}, now=now, fair_key=key, priority=0, max_attempts=1)

        for _ in range(40):
            await door.store("alice", make)
    finally:
        await client.close()

    assert inserts.groups == [1] * 40
    assert inserts.admissions < 20
    tasks = await db[TASKS].find({}).sort("_id", 1).to_list(None)
    assert [task["fairKey"] for task in tasks] == [float(key) for key in range(1, 41)]
    assert all(began - stored.timedelta(seconds=0.1) <= task["availableAt"] <= stored.now() + stored.timedelta(seconds=0.1) for task in tasks)


async def test_in_a_row_of_submissions_only_the_first_two_wait_for_their_admission(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    admit, waited = FairShares.admit, []

    async def counted(*args: Any, **options: Any) -> Any:
        waited.append(number)
        return await admit(*args, **options)

    monkeypatch.setattr(FairShares, "admit", counted)
    monkeypatch.setattr("tasks_app.fairness._AHEAD_SECONDS", 60.0)  # however slow the machine is
    for number in range(40):  # noqa: B007 - `counted` reads it
        await operations.submit("alice", "TEST_NOOP", {})

    assert waited == [0, 1]
    keys = [task["fairKey"] async for task in db[TASKS].find({}, sort=[("createdAt", 1), ("fairKey", 1)])]
    assert keys == [float(key) for key in range(1, 41)]


async def test_a_row_of_submissions_goes_on_when_the_keys_ahead_cannot_be_fetched(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve, failed = FairShares._reserve, []

    async def fails_ahead(self: FairShares, user_id: str, count: int, **options: Any) -> Any:
        if not count:
            failed.append(user_id)
            raise AutoReconnect("away")
        return await reserve(self, user_id, count, **options)

    monkeypatch.setattr(FairShares, "_reserve", fails_ahead)
    for _ in range(20):
        await operations.submit("alice", "TEST_NOOP", {})
    assert failed
    assert await db[TASKS].count_documents({}) == 20


async def test_keys_given_ahead_take_nothing_from_what_the_limits_allow(db: Db, settings: Any) -> None:
    limited(settings, tasks_submit_rate=100)

    accepted = 0
    for _ in range(50):
        await operations.submit("alice", "TEST_NOOP", {})
        accepted += 1
    answers = await submit("alice", 100)

    accepted += sum(isinstance(answer, operations.Submitted) for answer in answers)
    assert 100 <= accepted <= 110  # some come back meanwhile
    assert await db[TASKS].count_documents({}) == accepted


async def test_keys_given_ahead_that_grew_too_old_take_nothing_from_the_rate(db: Db, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(settings, tasks_submit_rate=30)
    monkeypatch.setattr("tasks_app.fairness._AHEAD_SECONDS", 0.1)

    for _ in range(5):  # two at a time, with a pause that makes what is left of the keys too old
        assert [type(answer) for answer in [*await submit("alice", 1), *await submit("alice", 1)]] == [operations.Submitted] * 2
        await asyncio.sleep(0.25)
    answers = await submit("alice", 20)

    assert [type(answer) for answer in answers] == [operations.Submitted] * 20  # thirty in all


async def test_many_submissions_in_one_call_are_stored_all_or_none(db: Db, settings: Any) -> None:
    limited(settings, tasks_max_queued_per_user=1_500, tasks_submit_rate=0)

    answers = await operations.submit_many("alice", "TEST_SLEEP", [{"seconds": number / 10} for number in range(1_200)])

    found = {task["_id"]: task async for task in db[TASKS].find({})}
    assert [found[answer.task_id]["parameters"]["seconds"] for answer in answers] == [number / 10 for number in range(1_200)]
    assert sorted(task["fairKey"] for task in found.values()) == [float(key) for key in range(1, 1_201)]

    with pytest.raises(QueueFull):
        await operations.submit_many("alice", "TEST_SLEEP", [{}] * 301)
    with pytest.raises(InvalidParameters):
        await operations.submit_many("alice", "TEST_SLEEP", [{}, {"seconds": "long"}])
    assert await db[TASKS].count_documents({}) == 1_200
    assert len(await operations.submit_many("alice", "TEST_SLEEP", [{}] * 300)) == 300
    assert await operations.submit_many("alice", "TEST_SLEEP", []) == []
