"""10,000 queued tasks that wait one second each, two worker processes with 5,000 slots each."""

from benchmarks.clusters import run_queued
from benchmarks.measured import Measured
from benchmarks.place import Place

NUMBER = 10_000
SLOTS = {"TASKS_WORKER_CONCURRENCY": "5000"}


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Until the last ending is stored."""
    runs = [await run_queued(place, "BENCH_WAIT", NUMBER, {"seconds": 1.0}, settings=SLOTS) for _ in range(rounds)]
    return [Measured("io10k", "10,000 tasks that wait 1 s, until the last ending is stored", "s", tuple(run.seconds for run in runs), digits=2)]
