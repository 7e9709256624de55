"""Worker clusters as they ship, and one measured run of queued tasks on one."""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import queued, record
from benchmarks.place import Place
from benchmarks.processes import Group, cpu_seconds, pss_mib

MEMORY_SECONDS = 0.15
NO_SETTINGS: Mapping[str, str] = {}

Json = dict[str, Any]


@contextmanager
def cluster(place: Place, workers: int = 2, settings: Mapping[str, str] = NO_SETTINGS) -> Iterator[Group]:
    """Run `manage.py qcluster`."""
    with place.run(sys.executable, "manage.py", "qcluster", name="qcluster", TASKS_WORKERS=str(workers), **settings) as group:
        yield group


async def ready(group: Group, workers: int = 2, seconds: float = 30.0) -> None:
    """Wait until its workers have reported."""
    from ainoval import mongo

    reports = mongo.database()["task_workers"]
    deadline = time.monotonic() + seconds
    while await reports.count_documents({"pid": {"$in": group.pids()}}) < workers:
        if group.has_ended or time.monotonic() > deadline:
            raise SystemExit(f"the cluster did not start:\n{group.tail()}")
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Run:
    """One run of queued tasks.

    Attributes:
        seconds: From the first start, as the tasks say, until the last ending was stored (seen within some milliseconds).
        executed_seconds: From the first start to the last end, as the tasks say.
        own_cpu, mongod_cpu: Processor seconds meanwhile of the cluster with its supervisors, and of MongoDB.
        processes: How many worker processes took part.
    """

    number: int
    seconds: float
    executed_seconds: float
    own_cpu: float
    mongod_cpu: float
    processes: int


async def run_queued(place: Place, task_type: str, number: int, parameters: Json, *, workers: int = 2, settings: Mapping[str, str] = NO_SETTINGS) -> Run:
    """Queue tasks, then start the workers, and measure until the last ending is stored. Every document is read afterwards."""
    await queued.queue(task_type, number, parameters)
    place.fresh_record()
    with cluster(place, workers, settings) as group:
        await queued.recorded(place, 1, group, seconds=60)
        own, mongod = cpu_seconds(group.pids()), cpu_seconds(place.mongod())
        await queued.recorded(place, number, group, seconds=300)
        end = await queued.stored(number)
        own, mongod = cpu_seconds(group.pids()) - own, cpu_seconds(place.mongod()) - mongod
    ran = record.read(place.record)
    if len(ran) != number:
        raise SystemExit(f"{len(ran):,} executions of {number:,} tasks")
    await queued.check(number)
    first = min(each.began for each in ran)
    return Run(number, end - first, max(each.ended for each in ran) - first, own, mongod, len({each.pid for each in ran}))


async def peak_memory(place: Place, task_type: str, number: int, parameters: Json, *, workers: int = 2, settings: Mapping[str, str] = NO_SETTINGS) -> float:
    """Run queued tasks as above and return the most memory in MiB that the cluster had, supervisors included.

    A run of its own: reading the memory of a process holds it up.
    """
    await queued.queue(task_type, number, parameters)
    place.fresh_record()
    with cluster(place, workers, settings) as group:
        peak = await peak_while(place, number, group)
        await queued.stored(number)
    await queued.check(number)
    return peak


async def peak_while(place: Place, number: int, *groups: Group) -> float:
    """Return the most memory in MiB that these programs had until so many executions were recorded."""
    peak = 0.0
    deadline = time.monotonic() + 300
    while record.count(place.record) < number:
        if time.monotonic() > deadline or any(group.has_ended for group in groups):
            raise SystemExit(f"only {record.count(place.record):,} of {number:,} tasks ran:\n{groups[0].tail()}")
        peak = max(peak, sum(pss_mib(group.pids()) for group in groups))
        await asyncio.sleep(MEMORY_SECONDS)
    return peak
