"""What docs/asyncio-instead-of-virtual-threads.md says of a real worker: what waiting tasks cost it, and where its log says they ran."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from tests.conftest import until
from tests.support.cluster import Cluster, count
from tests.support.submissions import store_many

Start = Callable[..., Cluster]
Database = AsyncDatabase[dict[str, Any]]

pytestmark = pytest.mark.timeout(300)

WAITING = 2_000
MOST_KIB_FOR_EACH = 32


async def all_in(status: str, number: int) -> None:
    """Wait until so many tasks are in a state."""

    async def reached() -> bool:
        return await count(status) == number

    await until(reached, seconds=120, what=f"{number} tasks {status}")


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the resident set is read from /proc")
async def test_two_thousand_waiting_tasks_fit_in_one_worker_and_cost_it_little(db: Database, cluster: Start) -> None:
    settings = {"TASKS_WORKERS": "1", "TASKS_WORKER_CONCURRENCY": str(WAITING), "TASKS_SHUTDOWN_GRACE": "0", "AINOVAL_LOG_LEVEL": "WARNING"}
    workers = await cluster(**settings).ready(1)
    [pid] = workers.workers
    before = resident_kib(pid)
    await store_many(db, "TEST_SLEEP", WAITING, seconds=60)
    await all_in("RUNNING", WAITING)
    busy = processor_seconds(pid)
    await asyncio.sleep(2)
    busy = (processor_seconds(pid) - busy) / 2
    each = (resident_kib(pid) - before) / WAITING
    threads = len(os.listdir(f"/proc/{pid}/task"))
    print(f"{WAITING:,} waiting tasks: {each:.1f} KiB each, {threads} threads, {busy:.1%} of a core")
    assert each < MOST_KIB_FOR_EACH
    assert threads < 50
    assert busy < 0.5


async def test_the_log_says_whether_a_task_ran_on_the_loop_or_in_a_thread(db: Database, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="1").ready(1)
    await store_many(db, "TEST_NOOP", 1)
    await store_many(db, "TEST_THREAD", 1, seconds=0.1)
    await all_in("COMPLETED", 2)
    lines = [json.loads(line) for line in workers.log.read_text().splitlines() if line.startswith("{")]
    started = {line["task_type"]: line for line in lines if line["event"] == "attempt_started"}
    assert started["TEST_NOOP"]["ran_on"] == "loop"
    assert started["TEST_THREAD"]["ran_on"].startswith("thread:task_")
    assert {"task_id", "user_id", "attempt", "worker"} <= started["TEST_NOOP"].keys()


def resident_kib(pid: int) -> int:
    """Return a process's resident set."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:"))


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
