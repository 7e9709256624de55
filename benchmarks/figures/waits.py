"""2,000 queued tasks that wait one second each, two worker processes: how long all of them take, and how much memory."""

from benchmarks.clusters import peak_memory, run_queued
from benchmarks.measured import Measured
from benchmarks.place import Place

NUMBER = 2_000
SECOND = {"seconds": 1.0}


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Time in some runs, memory in one more each."""
    runs = [await run_queued(place, "BENCH_WAIT", NUMBER, SECOND) for _ in range(rounds)]
    memory = [await peak_memory(place, "BENCH_WAIT", NUMBER, SECOND) for _ in range(rounds)]
    return [
        Measured("io", "2,000 tasks that wait 1 s, until the last ending is stored", "s", tuple(run.seconds for run in runs), digits=2),
        Measured("io_executed", "2,000 tasks that wait 1 s, until the last has run", "s", tuple(run.executed_seconds for run in runs), digits=2),
        Measured("io_memory", "the same: memory (PSS) of all processes of the cluster at the peak", "MiB", tuple(memory), digits=0),
    ]
