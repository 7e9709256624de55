"""Real clusters, real signals: what a kill -9 leaves behind, and what a SIGTERM hands back."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import maintenance
from tasks_app.documents import TASKS, WORKERS
from tests.conftest import until
from tests.support.cluster import Cluster, children, count, is_running, stopped
from tests.support.submissions import store_many
from tests.support.testtasks.executables import LEDGER

Start = Callable[..., Cluster]
Database = AsyncDatabase[dict[str, Any]]

pytestmark = pytest.mark.timeout(300)


async def running(number: int) -> None:
    """Wait until so many tasks are running."""

    async def enough() -> bool:
        return await count("RUNNING") >= number

    await until(enough, what=f"{number} running tasks")


async def all_ended(db: Database, number: int, seconds: float = 120.0) -> None:
    async def ended() -> bool:
        return await db[TASKS].count_documents({"completedAt": {"$ne": None}}) == number

    await until(ended, seconds=seconds, what=f"the end of {number} tasks")


async def busiest(db: Database, workers: Cluster) -> int:
    """Return the process that holds the most tasks now."""
    holders = Counter([task["lease"]["owner"] async for task in db[TASKS].find({"status": "RUNNING"}, {"lease.owner": 1})])
    [(owner, _)] = holders.most_common(1)
    worker = await db[WORKERS].find_one({"_id": owner})
    assert worker is not None
    assert worker["pid"] in workers.workers
    return int(worker["pid"])


async def from_now_on_take(db: Database, seconds: float) -> None:
    """Change how long the tasks take when they run the next time."""
    await db[TASKS].update_many({}, {"$set": {"parameters.seconds": seconds}})


async def test_a_killed_worker_loses_no_task_and_repeats_no_effect(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="2").ready(2)
    await store_many(db, "TEST_LEDGER", 300, seconds=0.4)
    await running(1)
    workers.kill(await busiest(db, workers))
    await all_ended(db, 300)
    assert await count("COMPLETED") == 300
    effects = Counter([line["task"] async for line in db[LEDGER].find()])
    # An effect is only doubled when the worker died between the effect and the write of its ending, a few milliseconds.
    lost = await db[TASKS].count_documents({"attempts.outcome": "lost"})
    assert lost > 0, "the kill hit nobody"
    assert len(effects) == 300
    async for task in db[TASKS].find({}):
        assert "lease" not in task
        assert task["attempt"] == 1


@pytest.mark.alone
async def test_a_task_of_a_killed_worker_runs_again_within_three_seconds(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="1", TASKS_LEASE_SECONDS="30").ready(1)
    await store_many(db, "TEST_SLEEP", 5, seconds=30)
    await running(5)
    workers.kill(workers.workers[0])
    killed_at = time.monotonic()

    async def running_again() -> bool:
        return await count("RUNNING", crashCount=1) == 5

    await until(running_again)
    assert time.monotonic() - killed_at < 3.0


async def test_an_idle_worker_that_is_killed_is_replaced_and_work_goes_on(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="2").ready(2)
    for _ in range(3):
        [first, _] = await until(lambda: len(found := workers.workers) == 2 and found, what="two workers")
        workers.kill(first)
        await until(lambda pid=first: not is_running(pid), what="its end")
    await store_many(db, "TEST_NOOP", 50)
    await all_ended(db, 50)
    assert await count("COMPLETED") == 50


async def test_a_killed_sentinel_is_replaced_and_its_workers_do_not_stay(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="2").ready(2)
    orphans, sentinel = workers.workers, workers.sentinel
    await store_many(db, "TEST_LEDGER", 40, seconds=0.5)
    await running(1)
    workers.kill(sentinel)
    await all_ended(db, 40)
    await until(lambda: not any(map(is_running, orphans)), what="the end of the orphans")
    await until(lambda: len(workers.workers) == 2, what="new workers")
    assert await count("COMPLETED") == 40
    assert await db[LEDGER].count_documents({}) == 40


async def test_killing_the_main_process_leaves_no_process_behind(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="2").ready(2)
    everyone = [workers.sentinel, *workers.workers]
    await store_many(db, "TEST_SLEEP", 4, seconds=0.5)
    os.kill(workers.pid, signal.SIGKILL)
    await until(lambda: not any(map(is_running, everyone)), what="the end of all processes")
    assert await count("RUNNING") == 0


async def test_work_that_does_not_end_keeps_no_orphaned_worker(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="1", TASKS_SHUTDOWN_GRACE="1").ready(1)
    orphans = workers.workers
    await store_many(db, "TEST_TO_THREAD", 1, seconds=600)
    await running(1)
    workers.kill(workers.sentinel)
    await until(lambda: not any(map(is_running, orphans)), seconds=30, what="the end of the orphan")


async def test_a_poisonous_task_is_interrupted_at_its_third_loss_and_takes_no_innocent_one_with_it(db: Database, cluster: Start) -> None:
    await cluster(TASKS_WORKERS="2").ready(2)
    [poison] = await store_many(db, "TEST_POISON", 1)
    innocent = await store_many(db, "TEST_SLEEP", 60, seconds=0.3)
    await all_ended(db, 61)
    ended = await db[TASKS].find_one({"_id": poison})
    assert ended is not None
    assert ended["status"] == "INTERRUPTED"
    assert ended["crashCount"] == 3
    assert [entry["outcome"] for entry in ended["attempts"]] == ["lost", "lost", "lost"]
    assert ended["errorInfo"]["code"] == "worker_lost"
    assert await count("COMPLETED") == len(innocent)


@pytest.mark.parametrize("task_type", ["TEST_EXIT_BESIDE", "TEST_EXIT_FROM_THREAD"])
async def test_a_task_that_calls_exit_in_another_coroutine_fails_and_its_worker_lives(db: Database, cluster: Start, task_type: str) -> None:
    workers = await cluster(TASKS_WORKERS="1").ready(1)
    [worker] = workers.workers
    await store_many(db, "TEST_SLEEP", 10, seconds=1.0)
    await running(10)
    [odd] = await store_many(db, task_type, 1)
    await all_ended(db, 11)
    ended = await db[TASKS].find_one({"_id": odd})
    assert ended is not None
    assert (ended["status"], [entry["outcome"] for entry in ended["attempts"]]) == ("FAILED", ["failed"])
    assert await count("COMPLETED", **{"attempts.outcome": {"$ne": "lost"}}) == 10
    assert workers.workers == [worker]


async def test_a_type_that_must_not_run_again_is_interrupted_at_its_first_loss(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="1").ready(1)
    [task] = await store_many(db, "TEST_RUN_ONCE", 1, seconds=30)
    await running(1)
    workers.kill(workers.workers[0])
    await until(lambda: count("INTERRUPTED", _id=task))


@pytest.mark.alone
async def test_sigterm_hands_running_tasks_back_at_no_cost_and_another_cluster_goes_on(db: Database, cluster: Start) -> None:
    first = await cluster(TASKS_WORKERS="2", TASKS_SHUTDOWN_GRACE="1").ready(2)
    await store_many(db, "TEST_SLEEP", 30, seconds=60)
    await running(30)
    started = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - started < 2.5
    assert first.leftovers() == []
    assert await count("RUNNING") == 0
    assert await count("QUEUED", attempt=0, crashCount=0) == 30
    assert await count("QUEUED", **{"attempts.outcome": "released"}) == 30
    await from_now_on_take(db, 0.1)
    await cluster(TASKS_WORKERS="2").ready(2)
    await all_ended(db, 30)
    assert await count("COMPLETED", attempt=1, crashCount=0) == 30


async def test_sigterm_to_the_whole_group_many_times_stops_it_cleanly(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="2", TASKS_SHUTDOWN_GRACE="1").ready(2)
    await store_many(db, "TEST_SLEEP", 10, seconds=60)
    await running(1)
    workers.workers  # noqa: B018
    for _ in range(5):
        os.killpg(workers.pid, signal.SIGTERM)
        await asyncio.sleep(0.1)
    assert workers.process.wait(60) == 0
    assert workers.leftovers() == []
    assert await count("RUNNING") == 0


async def test_a_worker_that_was_held_still_past_its_lease_changes_nothing_afterwards(db: Database, cluster: Start) -> None:
    first = await cluster(TASKS_WORKERS="1", TASKS_LEASE_SECONDS="3").ready(1)
    tasks = await store_many(db, "TEST_LEDGER", 20, seconds=4)
    await running(20)
    with stopped(first.workers[0]):
        over = time.monotonic() + 4
        await from_now_on_take(db, 0.1)
        second = await cluster(TASKS_WORKERS="1", TASKS_LEASE_SECONDS="3").ready(1)
        await all_ended(db, 20)
        before = {task["_id"]: task async for task in db[TASKS].find({})}
        await until(lambda: time.monotonic() > over)
    # The zombie wakes: it has a second to do what it must not.
    await asyncio.sleep(1)
    after = {task["_id"]: task async for task in db[TASKS].find({})}
    assert before == after
    assert set(before) == set(tasks)
    assert all(task["crashCount"] == 0 and len(task["attempts"]) == 2 for task in after.values())
    # The zombie's sleeps were over when it woke: its lease was not, so not one effect was repeated.
    assert await db[LEDGER].count_documents({}) == 20
    assert second.process.poll() is None


async def test_two_clusters_never_run_one_task_at_the_same_time(db: Database, cluster: Start) -> None:
    await cluster(TASKS_WORKERS="2").ready(2)
    await cluster(TASKS_WORKERS="2").ready(2)
    await store_many(db, "TEST_LEDGER", 500, seconds=0.05)
    await all_ended(db, 500)
    effects = Counter([line["task"] async for line in db[LEDGER].find()])
    assert len(effects) == 500
    assert set(effects.values()) == {1}
    assert await count("COMPLETED", attempt=1) == 500


async def test_a_blocked_event_loop_is_noticed_and_its_worker_replaced(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="1").ready(1)
    [pid] = workers.workers
    with stopped(pid):
        await until(lambda: workers.workers and workers.workers != [pid], what="a new worker")
    await store_many(db, "TEST_NOOP", 3)
    await all_ended(db, 3)


async def test_a_blocked_event_loop_renews_no_lease_and_its_late_ending_is_refused(db: Database, cluster: Start) -> None:
    await cluster(TASKS_WORKERS="1", TASKS_LEASE_SECONDS="1.5").ready(1)
    [innocent] = await store_many(db, "TEST_SLEEP", 1, seconds=6)
    await running(1)
    [blocking] = await store_many(db, "TEST_BLOCKING", 1, seconds=4)
    await running(2)

    async def lost() -> bool:
        await maintenance.recover_lost(db)
        return await count("QUEUED", _id={"$in": [innocent, blocking]}, crashCount=1) == 2

    await until(lost, seconds=4, what="the end of the blocked loop's leases")
    await all_ended(db, 2)
    # The first run ended a moment after it was unblocked; what is stored is the second's ending. What ran beside the second one was renewed after it.
    async for task in db[TASKS].find({}):
        assert [entry["outcome"] for entry in task["attempts"]] == ["lost", "completed"]
        assert task["attempts"][0]["token"] != task["attempts"][1]["token"]


async def test_children_of_a_killed_cluster_are_taken_up_by_the_next(db: Database, cluster: Start) -> None:
    first = await cluster(TASKS_WORKERS="2", TASKS_LEASE_SECONDS="2").ready(2)
    [parent] = await store_many(db, "TEST_FAMILY", 1, count=40, seconds=0.5)
    await until(lambda: count("RUNNING", parentId=parent))
    everyone = [first.pid, first.sentinel, *first.workers]
    for pid in everyone:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not any(map(is_running, everyone)))
    assert children(first.pid) == []
    await cluster(TASKS_WORKERS="2", TASKS_LEASE_SECONDS="2").ready(2)
    await all_ended(db, 41)
    ended = await db[TASKS].find_one({"_id": parent})
    assert ended is not None
    assert ended["status"] == "COMPLETED"
    assert ended["result"] == {"completed": 40, "other": 0}
