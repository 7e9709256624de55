"""5,000 queued tasks that do nothing, two worker processes: how many a second; what one costs; and the same with limits set, and with progress."""

from benchmarks.clusters import Run, run_queued
from benchmarks.measured import Measured
from benchmarks.place import Place

NUMBER = 5_000

# Set, counted at every claim, and never reached: fewer slots exist.
LIMITS = {
    "TASKS_MAX_RUNNING": "1000000",
    "TASKS_MAX_RUNNING_PER_USER": "1000000",
    "TASKS_TYPE_LIMITS": "BENCH_NOOP=1000000,BENCH_PROGRESS=1000000",
}


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Plain, with limits, with progress, in turn."""
    plain: list[Run] = []
    limited: list[Run] = []
    reporting: list[Run] = []
    for _ in range(rounds):
        plain.append(await run_queued(place, "BENCH_NOOP", NUMBER, {}))
        limited.append(await run_queued(place, "BENCH_NOOP", NUMBER, {}, settings=LIMITS))
        reporting.append(await run_queued(place, "BENCH_PROGRESS", NUMBER, {}))
    return [
        *plainly(plain),
        _ratio("drain_limits", "drain with system, type and user limits set, none reached: share of the plain drain", limited, plain),
        _ratio("drain_progress", "drain with progress reported once a task: share of the plain drain", reporting, plain),
    ]


async def measure_plainly(place: Place, rounds: int) -> list[Measured]:
    """Without limits and progress."""
    return plainly([await run_queued(place, "BENCH_NOOP", NUMBER, {}) for _ in range(rounds)])


def plainly(runs: list[Run]) -> list[Measured]:
    """Return the figures of plain runs."""
    return [
        Measured("drain", "5,000 no-op tasks, until the last ending is stored", "tasks/s", tuple(run.number / run.seconds for run in runs), digits=0),
        Measured("drain_executed", "5,000 no-op tasks, until the last has run", "tasks/s", tuple(run.number / run.executed_seconds for run in runs), digits=0),
        Measured("cpu", "CPU per no-op task, ours and MongoDB's", "ms", tuple(1000 * (run.own_cpu + run.mongod_cpu) / run.number for run in runs), digits=2),
        Measured("cpu_own", "CPU per no-op task, all processes of the cluster", "ms", tuple(1000 * run.own_cpu / run.number for run in runs), digits=2),
        Measured("cpu_mongod", "CPU per no-op task, MongoDB", "ms", tuple(1000 * run.mongod_cpu / run.number for run in runs), digits=2),
    ]


def _ratio(key: str, title: str, runs: list[Run], plain: list[Run]) -> Measured:
    return Measured(key, title, "%", tuple(100 * base.seconds / run.seconds for run, base in zip(runs, plain, strict=True)))
