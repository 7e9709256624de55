"""The same figures as the collection and the number of workers grow: `make bench-growth`, or `python -m benchmarks.growth`.

By default with ten thousand and with a million ended tasks of other users in the collection (`--ended 10000,1000000,5000000` for five million as well),
and with 1, 2 and 4 worker processes. Writes the figures into benchmarks/plots/growth.jsonl, in place of what is there for the same sizes, and the plots
beside it; `--plots-only` makes the plots from the file again.
"""

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plots, seeding
from benchmarks.bench import closing
from benchmarks.clusters import run_queued
from benchmarks.figures import dispatch, drain, submission, waiting_memory, waits
from benchmarks.measured import Measured, merged
from benchmarks.place import ROOT, Place, prepared

FOLDER = ROOT / "benchmarks" / "plots"
FIGURES = FOLDER / "growth.jsonl"
USERS = 200


@dataclass(frozen=True)
class Point:
    """One figure at one size: so many ended tasks, so many workers (0: no matter of theirs)."""

    ended: int
    workers: int
    key: str
    unit: str
    value: float


def main() -> None:
    """Measure, and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ended", default="10000,1000000", help="how many ended tasks, rising")
    parser.add_argument("--workers", default="1,2,4", help="how many worker processes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plots-only", action="store_true")
    options = parser.parse_args()
    if not options.plots_only:
        ended, workers = ([int(number) for number in listed.split(",")] for listed in (options.ended, options.workers))
        with prepared() as place:
            points = asyncio.run(closing(measure(place, ended, workers, options.rounds)))
        FOLDER.mkdir(exist_ok=True)
        kept = [point for point in known() if (point.ended, point.workers) not in {(new.ended, new.workers) for new in points}]
        FIGURES.write_text("".join(json.dumps(vars(point)) + "\n" for point in sorted(kept + points, key=lambda point: (point.ended, point.workers))))
    for path in draw(known(), FOLDER):
        print(path.relative_to(ROOT))


def known() -> list[Point]:
    """Return the figures that were measured before."""
    return [Point(**json.loads(line)) for line in FIGURES.read_text().splitlines()] if FIGURES.exists() else []


async def measure(place: Place, ended: Sequence[int], workers: Sequence[int], rounds: int) -> list[Point]:
    """Measure every figure at every size."""
    points: list[Point] = []
    user_ids = [str(uuid.UUID(int=number)) for number in range(USERS)]
    there = 0
    for size in ended:
        start = time.monotonic()
        missing = size - there
        await seeding.fill(seeding.ended_tasks(user_ids, seeding.shares(missing, USERS, missing // 50), seed=size))
        there = size
        print(f"# {size:,} ended tasks after {time.monotonic() - start:.0f} s", flush=True)
        for number in workers:
            figures: list[Measured] = []
            for _ in range(rounds):
                figures += drain.plainly([await run_queued(place, "BENCH_NOOP", drain.NUMBER, {}, workers=number)])
                run = await run_queued(place, "BENCH_WAIT", waits.NUMBER, waits.SECOND, workers=number, settings=SLOTS)
                figures.append(Measured("io", "", "s", (run.seconds,)))
            points += _said(size, number, merged(figures))
        points += _said(size, 0, await dispatch.measure(place, rounds))
        points += _said(size, 0, await submission.measure(place, rounds))
    points += _said(ended[-1], 0, await waiting_memory.measure(place, 1))
    return points


SLOTS = {"TASKS_WORKER_CONCURRENCY": str(waits.NUMBER)}
"""So that one worker can hold all of them."""


def _said(ended: int, workers: int, figures: Sequence[Measured]) -> list[Point]:
    points = [Point(ended, workers, each.key, each.unit, each.median) for each in figures if each.values]
    print(f"  {ended:,} ended, {workers or 2} workers: {', '.join(f'{point.key} {point.value:,.2f} {point.unit}' for point in points)}", flush=True)
    return points


def draw(points: Sequence[Point], folder: Path) -> list[Path]:
    """Write the plots; return their paths."""
    sizes = sorted({point.ended for point in points})
    workers = sorted({point.workers for point in points if point.workers})
    of = {(point.key, point.ended, point.workers): point.value for point in points}
    by_workers = [f"{number} worker{'s' if number > 1 else ''}" for number in workers]
    by_size = [f"{size:,} ended tasks" for size in sizes]

    def across_workers(key: str) -> dict[str, list[float]]:
        return {name: [of[key, size, number] for number in workers] for name, size in zip(by_size, sizes, strict=True)}

    def across_sizes(**names: str) -> dict[str, list[float]]:
        return {name: [of[key, size, 0] for size in sizes] for key, name in names.items() if (key, sizes[0], 0) in of}

    cost = {
        f"{whose}, {name}": [of[key, size, number] for number in workers]
        for key, whose in (("cpu_own", "ours"), ("cpu_mongod", "MongoDB"))
        for name, size in zip(by_size, sizes, strict=True)
    }
    memory = [(number, of[f"waiting_{number}", sizes[-1], 0]) for number in waiting_memory.NUMBERS if (f"waiting_{number}", sizes[-1], 0) in of]
    charts = {
        "drain": plots.bars("5,000 tasks that do nothing", "tasks a second, until the last ending is stored", by_workers, across_workers("drain")),
        "cpu": plots.bars("Processor time of a task that does nothing", "milliseconds", by_workers, cost, digits=2),
        "waits": plots.bars("2,000 tasks that wait one second", "seconds, until the last ending is stored", by_workers, across_workers("io"), digits=2),
        "dispatch": plots.bars(
            "Dispatch on an idle system", "milliseconds from the call of submit", by_size, across_sizes(dispatch_p50="p50", dispatch_p95="p95"), digits=1
        ),
        "submit": plots.bars(
            "Submitting in process",
            "tasks a second",
            by_size,
            across_sizes(submit_one="one at a time", submit_fifty="50 at once", submit_many="1,000 in one call"),
        ),
    }
    if memory:
        counts = [f"{number:,} waiting" for number, _ in memory]
        charts["memory"] = plots.bars("Memory of a waiting task", "KiB, in one worker", counts, {"PSS": [value for _, value in memory]}, digits=1)
    paths = []
    for name, chart in charts.items():
        path = folder / f"growth-{name}.svg"
        path.write_text(chart)
        paths.append(path)
    return paths


if __name__ == "__main__":
    main()
