"""An idle system with two workers: from a submission to the first line of the executable."""

import asyncio
import time

from benchmarks import queued, record
from benchmarks.clusters import cluster, ready
from benchmarks.measured import Measured, percentile
from benchmarks.place import Place
from benchmarks.processes import Group

NUMBER = 100
PAUSE_SECONDS = 0.03
SETTLE_SECONDS = 1.5


async def measure(place: Place, rounds: int) -> list[Measured]:
    """One task at a time, the next when the last has run and everything is idle again."""
    called: list[list[float]] = []
    accepted: list[list[float]] = []
    await queued.forget()
    place.fresh_record()
    with cluster(place) as group:
        await ready(group)
        await asyncio.sleep(SETTLE_SECONDS)
        for _ in range(rounds):
            delays = await _round(place, group)
            called.append([1000 * from_call for from_call, _ in delays])
            accepted.append([1000 * from_acceptance for _, from_acceptance in delays])
        await queued.stored(NUMBER * rounds)
    await queued.check(NUMBER * rounds)
    return [
        _percentile("dispatch_p50", "dispatch, idle: from the call of submit to the first line, p50", called, 0.5),
        _percentile("dispatch_p95", "the same, p95", called, 0.95),
        _percentile("dispatch_accepted_p50", "dispatch, idle: from the accepted insert to the first line, p50", accepted, 0.5),
        _percentile("dispatch_accepted_p95", "the same, p95", accepted, 0.95),
    ]


async def _round(place: Place, group: Group) -> list[tuple[float, float]]:
    before = record.count(place.record)
    times: list[tuple[float, float]] = []
    for number in range(1, NUMBER + 1):
        call = time.monotonic()
        await queued.submit("BENCH_NOOP", 1, {})
        times.append((call, time.monotonic()))
        await queued.recorded(place, before + number, group, seconds=10)
        await asyncio.sleep(PAUSE_SECONDS)
    ran = record.read(place.record)[before:]
    return [(each.began - call, each.began - acceptance) for each, (call, acceptance) in zip(ran, times, strict=True)]


def _percentile(key: str, title: str, rounds: list[list[float]], share: float) -> Measured:
    return Measured(key, title, "ms", tuple(percentile(delays, share) for delays in rounds))
