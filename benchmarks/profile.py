"""Show where the time goes: `python -m benchmarks.profile drain` (or `waits`, `submit`, `http`).

Samples one process of ours with py-spy from the peers' environment (`make .venv-peers/made.stamp`) while it works, without a change of its code: of a
worker during a drain or while thousands wait, of a producer that submits, of a server process under load. Prints the functions by their own time and by
their time with all they call, and what MongoDB was asked to do per task. `--flame FILE` writes a flame graph, too.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import load, queued, record, tables
from benchmarks.bench import closing
from benchmarks.clusters import cluster
from benchmarks.figures.http import CONNECTIONS, submissions
from benchmarks.place import ROOT, Place, prepared
from benchmarks.processes import cpu_seconds
from benchmarks.server import server, writers

PY_SPY = ROOT / ".venv-peers" / "main" / "bin" / "py-spy"
SAMPLES_A_SECOND = 200
SECONDS = 5
LINES = 30
# Where a thread sleeps although py-spy takes it for busy.
IDLE = (
    "PeriodicExecutor._run (pymongo/periodic_executor.py)",
    "Condition.wait (threading.py)",
    "Event.wait (threading.py)",
    "_worker (concurrent/futures/thread.py)",
    "EpollSelector.select (selectors.py)",
    "NetworkingInterface.recv_into (pymongo/network_layer.py)",
)
TRUNK = 0.9
"""Functions that everything is called from say nothing."""


@dataclass(frozen=True)
class Subject:
    """A process at work.

    Attributes:
        pid: Of the process that is sampled.
        done: How many tasks it and its like have done by now.
    """

    pid: int
    done: Callable[[], Awaitable[int]]


@asynccontextmanager
async def drain(place: Place) -> AsyncIterator[Subject]:
    """A worker, one of two, with more tasks queued than it can do meanwhile."""
    await queued.queue("BENCH_NOOP", 40_000, {})
    with cluster(place, settings={"TASKS_SHUTDOWN_GRACE": "0"}) as group:
        await queued.recorded(place, 1_000, group, seconds=60)
        yield Subject(record.read(place.record)[0].pid, partial(_recorded, place))


@asynccontextmanager
async def waits(place: Place) -> AsyncIterator[Subject]:
    """A worker, one of two, with 1,000 slots, whose tasks wait for a second."""
    await queued.queue("BENCH_WAIT", 20_000, {"seconds": 1.0})
    with cluster(place, settings={"TASKS_SHUTDOWN_GRACE": "0"}) as group:
        await queued.recorded(place, 1_000, group, seconds=60)
        yield Subject(record.read(place.record)[0].pid, partial(_recorded, place))


@asynccontextmanager
async def submit(place: Place) -> AsyncIterator[Subject]:
    """A process that submits fifty at once."""
    await queued.forget()
    code = "import django; django.setup(); import asyncio; from benchmarks import queued; asyncio.run(queued.submit('BENCH_NOOP', 1_000_000, {}))"
    with place.run(sys.executable, "-c", code, name="producer") as group:
        while not await _queued():  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.1)
        yield Subject(group.pid, _queued)


@asynccontextmanager
async def http(place: Place) -> AsyncIterator[Subject]:
    """The only server process, with 32 connections that submit GENERATE_SUMMARY."""
    requests = await submissions(await asyncio.to_thread(writers, CONNECTIONS))
    with server(place, 1) as (port, group):
        working = asyncio.create_task(load.run(port, [load.always(sent) for sent in requests], 202, seconds=SECONDS + 4.0))
        await asyncio.sleep(1.0)
        yield Subject(group.pid, _queued)
        await working


SUBJECTS: dict[str, Callable[[Place], AbstractAsyncContextManager[Subject]]] = {"drain": drain, "waits": waits, "submit": submit, "http": http}


def main() -> None:
    """Profile what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=SUBJECTS)
    parser.add_argument("--flame", type=Path, metavar="FILE", help="write a flame graph (SVG) here")
    options = parser.parse_args()
    if not PY_SPY.exists():
        parser.error("py-spy is not there: make .venv-peers/made.stamp")
    with prepared() as place:
        asyncio.run(closing(profile(place, SUBJECTS[options.what], options.flame)))


async def profile(place: Place, subject: Callable[[Place], AbstractAsyncContextManager[Subject]], flame: Path | None) -> None:
    """Sample, and print."""
    place.fresh_record()
    raw = place.folder / "stacks"
    async with subject(place) as at_work:
        done, cpu, asked = await at_work.done(), cpu_seconds([at_work.pid]), await commands()
        server_cpu, start = cpu_seconds(place.mongod()), time.monotonic()
        await asyncio.to_thread(_sample, at_work.pid, "raw", raw)
        done, cpu, asked = await at_work.done() - done, cpu_seconds([at_work.pid]) - cpu, await commands() - asked
        server_cpu, seconds = cpu_seconds(place.mongod()) - server_cpu, time.monotonic() - start
        if flame:
            await asyncio.to_thread(_sample, at_work.pid, "flamegraph", flame)
    rate = f"sampled {SAMPLES_A_SECOND} times a second"
    print(f"{done:,} tasks in {seconds:.1f} s; this process {cpu / seconds:.0%} of a core, MongoDB {server_cpu / seconds:.0%}; {rate}\n")
    own, total = by_function(raw.read_text().splitlines())
    samples = sum(own.values())
    for title, counts in (("own time", own), ("with all it calls", total)):
        shares = [(count / samples, name) for name, count in counts.most_common() if count < TRUNK * samples]
        rows = [[f"{share:.1%}", name] for share, name in shares[:LINES]]
        print(tables.text((title, "function"), rows) + "\n")
    rows = [[name, f"{count:,}", f"{count / max(done, 1):.4f}"] for name, count in asked.most_common(12)]
    print(tables.text(("MongoDB command", "count", "per task"), rows))


def by_function(stacks: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Return samples by function, its own and with all it calls, from stacks as py-spy writes them ("outer;inner count")."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        names = [_without_line(frame) for frame in frames.split(";")]
        if names[-1] in IDLE:
            continue
        own[names[-1]] += int(count)
        for name in set(names):
            total[name] += int(count)
    return own, total


def _without_line(frame: str) -> str:
    """Return "function (file)" of "function (file:line)"."""
    head, colon, tail = frame.rpartition(":")
    return f"{head})" if colon and tail.rstrip(")").isdigit() else frame


def _sample(pid: int, form: str, output: Path) -> None:
    # Without holding the process up at each sample: one with many threads would do little else.
    command = [str(PY_SPY), "record", "--nonblocking", "--pid", str(pid), "--duration", str(SECONDS), "--rate", str(SAMPLES_A_SECOND)]
    command += ["--format", form, "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60, check=False)
    if done.returncode:
        raise SystemExit(f"py-spy: {done.stderr.strip()[-500:]}")


async def commands() -> Counter[str]:
    """Return how often MongoDB was asked for each command since its start."""
    from ainoval import mongo

    status: dict[str, Any] = await mongo.database().client.admin.command("serverStatus")
    return Counter({name: int(counts["total"]) for name, counts in status["metrics"]["commands"].items() if isinstance(counts, dict)})


async def _recorded(place: Place) -> int:
    return record.count(place.record)


async def _queued() -> int:
    from ainoval import mongo

    return await mongo.database()["background_tasks"].count_documents({"status": "QUEUED"})


if __name__ == "__main__":
    main()
