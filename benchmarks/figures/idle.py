"""The processor time of a cluster with two workers that has nothing to do."""

import asyncio

from benchmarks import queued
from benchmarks.clusters import cluster, ready
from benchmarks.measured import Measured
from benchmarks.place import Place
from benchmarks.processes import cpu_seconds, pss_mib

SETTLE_SECONDS = 3.0
SECONDS = 20.0


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Of all its processes, and of MongoDB apart; in percent of one core."""
    await queued.forget()
    own: list[float] = []
    mongod: list[float] = []
    memory: list[float] = []
    with cluster(place) as group:
        await ready(group)
        for _ in range(rounds):
            await asyncio.sleep(SETTLE_SECONDS)
            before = cpu_seconds(group.pids()), cpu_seconds(place.mongod())
            await asyncio.sleep(SECONDS)
            own.append(100 * (cpu_seconds(group.pids()) - before[0]) / SECONDS)
            mongod.append(100 * (cpu_seconds(place.mongod()) - before[1]) / SECONDS)
            memory.append(pss_mib(group.pids()))
    return [
        Measured("idle", "idle cluster with 2 workers: CPU of all its processes", "%", tuple(own), digits=2),
        Measured("idle_mongod", "the same: CPU of MongoDB", "%", tuple(mongod), digits=2),
        Measured("idle_memory", "the same: memory (PSS) of all its processes", "MiB", tuple(memory), digits=0),
    ]
