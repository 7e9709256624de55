"""What one waiting task costs in memory: a worker that holds two thousand and then ten thousand of them, against the same worker holding none."""

import asyncio
import time

from benchmarks import queued
from benchmarks.clusters import cluster, ready
from benchmarks.measured import Measured
from benchmarks.place import Place
from benchmarks.processes import Group, pss_mib

NUMBERS = (2_000, 10_000)
WARM_UP = 500
SETTLE_SECONDS = 2.0
SETTINGS = {"TASKS_WORKER_CONCURRENCY": str(NUMBERS[-1]), "TASKS_SHUTDOWN_GRACE": "0"}


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Growth of the cluster's memory (PSS), divided."""
    found: dict[int, list[float]] = {number: [] for number in NUMBERS}
    for _ in range(rounds):
        await queued.forget()
        place.fresh_record()
        with cluster(place, 1, SETTINGS) as group:
            await ready(group, 1)
            await queued.put("BENCH_NOOP", WARM_UP, {})  # so that the loop, the pool and the pages of code are there
            await queued.recorded(place, WARM_UP, group, seconds=60)
            await queued.stored(WARM_UP)
            await asyncio.sleep(SETTLE_SECONDS)
            empty, waiting = pss_mib(group.pids()), 0
            for number in NUMBERS:
                await queued.put("BENCH_WAIT", number - waiting, {"seconds": 600.0})
                waiting = number
                await _running(number, group)
                await asyncio.sleep(SETTLE_SECONDS)
                found[number].append(1024 * (pss_mib(group.pids()) - empty) / number)
        await queued.forget()
    return [Measured(f"waiting_{number}", f"memory of a waiting task, {number:,} in one worker", "KiB", tuple(found[number])) for number in NUMBERS]


async def _running(number: int, group: Group) -> None:
    from ainoval import mongo

    tasks = mongo.database()["background_tasks"]
    deadline = time.monotonic() + 120
    while await tasks.count_documents({"status": "RUNNING", "userId": queued.USER}) < number:
        if group.has_ended or time.monotonic() > deadline:
            raise SystemExit(f"the worker does not hold {number:,} tasks:\n{group.tail()}")
        await asyncio.sleep(0.1)
