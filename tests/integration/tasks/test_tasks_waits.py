"""How many tasks wait for what: every one is counted, once, under the reason that it shows itself."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import waits
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tasks_app.waiting import NOT_WAITING, REASONS, WaitingFacts, waiting_query, waiting_reason
from tasks_app.worker.limits import Limits, count_live
from tests.support import stored

Json = dict[str, Any]
Db = AsyncDatabase[Json]


async def facts(db: Db, *, total: int = 0, workers: int = 1) -> WaitingFacts:
    limits = Limits(total, 2, {"TEST_SLEEP": 1}, {"ai:default": 1})
    return WaitingFacts(limits, await count_live(db), workers, frozenset({"TEST_NOOP", "TEST_SLEEP", "TEST_FLAKY", "TEST_FAMILY"}))


async def of_everything(db: Db) -> None:
    """Tasks that wait for each reason, and some that do not wait."""
    for user in ("alice", "alice", "bob"):
        await stored.running(db, user, "TEST_NOOP")
    await stored.running(db, "carol", "TEST_SLEEP")
    await stored.running(db, "dora", "TEST_FLAKY", resource="ai:default")
    for task_type, user, resource in (
        ("TEST_NOOP", "alice", None),
        ("TEST_NOOP", "alice", "ai:default"),
        ("TEST_NOOP", "bob", None),
        ("TEST_NOOP", "emma", None),
        ("TEST_SLEEP", "emma", None),
        ("TEST_FLAKY", "emma", "ai:default"),
        ("TEST_FLAKY", "emma", "ai:other"),
        ("A_FORMER_TYPE", "emma", None),
    ):
        await stored.queued(db, user, task_type, **({"resource": resource} if resource else {}))
    for minutes in (5, -5):
        at = stored.now() + timedelta(minutes=minutes)
        for code in ("backoff", "provider_limited"):
            retrying = await stored.in_state(db, TaskStatus.RETRYING, resource="ai:default")
            await db[TASKS].update_one({"_id": retrying["_id"]}, {"$set": {"wait.code": code, "availableAt": at}})
    await stored.awaiting(db, total=3)
    for status in stored.ENDED:
        await stored.in_state(db, TaskStatus(status))


async def one_by_one(db: Db, known: WaitingFacts) -> Counter[str]:
    reasons = [waiting_reason(task, known) async for task in db[TASKS].find({})]
    return Counter(reason["code"] for reason in reasons if reason)


async def test_each_task_is_counted_under_the_reason_that_it_shows(db: Db) -> None:
    await of_everything(db)
    for known in (await facts(db), await facts(db, total=1), await facts(db, workers=0)):
        assert (await waits.waits(db, known)).by_reason == await one_by_one(db, known)
    codes = {"queued", "type_limit", "user_limit", "provider_limited", "unknown_type", "backoff", "awaiting_children"}
    assert set((await waits.waits(db, await facts(db))).by_reason) == codes
    assert "system_limit" in (await waits.waits(db, await facts(db, total=1))).by_reason
    assert "no_worker" in (await waits.waits(db, await facts(db, workers=0))).by_reason


async def test_the_query_of_a_reason_finds_exactly_the_tasks_that_show_it(db: Db) -> None:
    await of_everything(db)
    for known in (await facts(db), await facts(db, total=1), await facts(db, workers=0)):
        shown: dict[str, set[str]] = {code: set() for code in (*REASONS, NOT_WAITING)}
        async for task in db[TASKS].find({}):
            reason = waiting_reason(task, known)
            shown[reason["code"] if reason else NOT_WAITING].add(task["_id"])
        for code, ids in shown.items():
            assert {task["_id"] async for task in db[TASKS].find(waiting_query(code, known), {"_id": 1})} == ids, code


async def test_a_retry_whose_time_has_come_waits_for_a_worker_if_there_is_none(db: Db) -> None:
    task = await stored.in_state(db, TaskStatus.RETRYING)
    task["availableAt"] = stored.now() - timedelta(seconds=1)
    codes = [(waiting_reason(task, await facts(db, workers=workers)) or {})["code"] for workers in (0, 1)]
    assert codes == ["no_worker", "backoff"]


async def test_a_reason_that_does_not_exist_finds_nothing(db: Db) -> None:
    await of_everything(db)
    assert await db[TASKS].count_documents(waiting_query("budget", await facts(db))) == 0


async def test_the_queued_are_counted_by_type_and_the_oldest_wait_is_found(db: Db) -> None:
    moment = stored.now()
    await stored.queued(db, task_type="TEST_NOOP", createdAt=moment - timedelta(minutes=1))
    await stored.queued(db, task_type="TEST_NOOP", createdAt=moment - timedelta(hours=3))
    # Created first, and sent back to the queue just now.
    await stored.queued(db, task_type="TEST_SLEEP", createdAt=moment - timedelta(days=3), availableAt=moment)
    found = await waits.waits(db, await facts(db))
    assert found.queued_by_type == {"TEST_NOOP": 2, "TEST_SLEEP": 1}
    assert found.since == moment - timedelta(hours=3)


async def test_a_limited_provider_is_known_until_the_first_of_its_tasks_tries_again(db: Db) -> None:
    moment = stored.now()
    for minutes in (7, 5, 9):
        task = await stored.in_state(db, TaskStatus.RETRYING, resource="ai:story")
        await db[TASKS].update_one({"_id": task["_id"]}, {"$set": {"wait.code": "provider_limited", "availableAt": moment + timedelta(minutes=minutes)}})
    await stored.in_state(db, TaskStatus.RETRYING, resource="ai:default")
    assert (await waits.waits(db, await facts(db))).limited_until == {"ai:story": moment + timedelta(minutes=5)}


async def test_nothing_waits_in_an_empty_system(db: Db) -> None:
    found = await waits.waits(db, await facts(db))
    assert (found.by_reason, found.since, found.limited_until) == ({}, None, {})


async def test_what_is_known_is_shown_at_once_and_brought_up_to_date_behind(db: Db) -> None:
    known = await facts(db)
    first = await waits.known(db, known)
    assert first is not None and not first.by_reason
    await stored.queued(db)
    assert await waits.known(db, known) is first  # a moment old
    waits._known[db.name].at -= 10
    second = await waits.known(db, known)
    assert second is not None and second.by_reason == {"queued": 1}


async def test_ten_lookers_at_once_cause_one_count(db: Db) -> None:
    known = await facts(db)
    found = await asyncio.gather(*(waits.known(db, known) for _ in range(10)))
    assert len({id(each) for each in found}) == 1


async def test_the_counts_read_two_indexes_and_no_collection(db: Db) -> None:
    await of_everything(db)
    for index, query in (("claim_by_user", {"status": "QUEUED"}), ("active", {"status": {"$in": ["CANCELLING", "RETRYING", "RUNNING"]}, "lease.owner": None})):
        command = {"aggregate": TASKS, "pipeline": [{"$match": query}, {"$group": {"_id": "$userId"}}], "cursor": {}, "hint": index}
        plan = str(await db.command({"explain": command, "verbosity": "queryPlanner"}))
        assert f"'indexName': '{index}'" in plan and "COLLSCAN" not in plan
