"""One measurement of a peer: the same tasks, the same order of events and the same watch as for ours."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

from benchmarks import queued, record
from benchmarks.clusters import peak_while
from benchmarks.figures import dispatch, drain, idle, many_waits, waits
from benchmarks.measured import Measured, percentile
from benchmarks.peers import servers
from benchmarks.peers.catalogue import Peer, Way
from benchmarks.place import ROOT, Place
from benchmarks.processes import Group, cpu_seconds, pss_mib

ENVIRONMENTS = ROOT / ".venv-peers"
START_SECONDS = 3.0
SUBMISSIONS = 2_000


@dataclass(frozen=True)
class Stage:
    """What a measurement takes place on: the peer's server, running and empty."""

    place: Place
    peer: Peer
    environment: Mapping[str, str]
    server: Callable[[], Iterable[int]]

    def program(self, name: str) -> str:
        """Return a program of the peer's environment."""
        return str(ENVIRONMENTS / ("arq" if self.peer.own_environment else "main") / "bin" / name)

    def produce(self, *arguments: str) -> Any:
        """Run the producer and return what it says."""
        command = [self.program("python"), "-m", "benchmarks.peers.produce", self.peer.module, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=dict(self.environment), capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            raise SystemExit(f"{self.peer.name} could not {arguments[0]}:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def workers(self, way: Way) -> Iterator[list[Group]]:
        """Run the worker programs."""
        stop_with = SIGINT if self.peer.stop_with_interrupt else SIGTERM
        with ExitStack() as stack:
            yield [
                stack.enter_context(
                    Group(
                        [self.program(program), *arguments],
                        cwd=ROOT,
                        env={**self.environment, **way.environment},
                        output=self.place.folder / f"peer-{number}.log",
                        stop_with=stop_with,
                        stop_seconds=4,
                    )
                )
                for number, (program, *arguments) in enumerate(way.commands)
            ]


@contextmanager
def stage(place: Place, peer: Peer, postgres: servers.Server | None) -> Iterator[Stage]:
    """Give a peer an empty server (PostgreSQL runs for the whole comparison; the application empties its table)."""
    from ainoval import mongo

    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), record.VARIABLE: str(place.fresh_record()), **peer.environment}
    database = f"{mongo.uri().replace('/?', '/peers?')}"
    if peer.needs == "mongo" or "BENCH_RESULTS" in environment:
        mongo.sync_database().client.drop_database("peers")
    if "BENCH_RESULTS" in environment:
        environment["BENCH_RESULTS"] = database
    sqlite = place.folder / "peer.sqlite3"
    for file in place.folder.glob("peer.sqlite3*"):
        file.unlink()
    environment["BENCH_SQLITE"] = str(sqlite)
    if peer.needs == "mongo":
        yield Stage(place, peer, environment | {"BENCH_MONGO": database}, place.mongod)
    elif peer.needs == "postgres":
        if postgres is None:
            raise SystemExit("PostgreSQL is not there")
        on = Stage(place, peer, environment | {"BENCH_POSTGRES": postgres.address}, postgres.group.pids)
        on.produce("queue", "noop", "0")  # empties its table
        yield on
    else:
        with servers.redis() as redis:
            extra = place.mongod() if "BENCH_RESULTS" in environment else []
            yield Stage(place, peer, environment | {"BENCH_REDIS": redis.address}, lambda: [redis.group.pid, *extra])


async def measure_drain(on: Stage) -> list[Measured]:
    """Tasks that do nothing: queued first, then the workers start; from the first start to the last end."""
    assert on.peer.drain
    await asyncio.to_thread(on.produce, "queue", "noop", str(drain.NUMBER))
    with on.workers(on.peer.drain) as groups:
        await queued.recorded(on.place, 1, *groups, seconds=60)
        own, server = _cpu(groups), cpu_seconds(on.server())
        await queued.recorded(on.place, drain.NUMBER, *groups, seconds=120)
        own, server = _cpu(groups) - own, cpu_seconds(on.server()) - server
    span = _checked_span(on.place.record, drain.NUMBER)
    return [
        _one(on, "drain", "5,000 no-op tasks", "tasks/s", drain.NUMBER / span, digits=0),
        _one(on, "cpu_own", "CPU per no-op task, worker processes", "ms", 1000 * own / drain.NUMBER, digits=2),
        _one(on, "cpu_server", "CPU per no-op task, its server", "ms", 1000 * server / drain.NUMBER, digits=2),
    ]


async def measure_waits(on: Stage) -> list[Measured]:
    """Tasks that wait a second."""
    assert on.peer.waits
    return [_one(on, "io", "2,000 tasks that wait 1 s", "s", await _waits(on, on.peer.waits, waits.NUMBER), digits=2)]


async def measure_memory(on: Stage) -> list[Measured]:
    """The same in a run of its own: the most memory that the workers and their supervisors had."""
    assert on.peer.waits
    await asyncio.to_thread(on.produce, "queue", "wait", str(waits.NUMBER))
    with on.workers(on.peer.waits) as groups:
        memory = await peak_while(on.place, waits.NUMBER, *groups)
    return [_one(on, "io_memory", "the same: memory (PSS) of all worker processes and supervisors at the peak", "MiB", memory, digits=0)]


async def measure_many_waits(on: Stage) -> list[Measured]:
    """Ten thousand tasks that wait a second."""
    assert on.peer.many_waits
    return [_one(on, "io10k", "10,000 tasks that wait 1 s", "s", await _waits(on, on.peer.many_waits, many_waits.NUMBER), digits=2)]


async def measure_dispatch(on: Stage) -> list[Measured]:
    """Idle workers: from the call of submit to the first line."""
    assert on.peer.drain
    with on.workers(on.peer.drain) as groups:
        await asyncio.sleep(START_SECONDS)
        times = await asyncio.to_thread(on.produce, "dispatch", str(dispatch.NUMBER), str(dispatch.PAUSE_SECONDS))
        await queued.recorded(on.place, len(times), *groups, seconds=10)
    delays = [1000 * (ran.began - call) for ran, (call, _) in zip(record.read(on.place.record), times, strict=True)]
    return [
        _one(on, "dispatch_p50", "dispatch, idle, p50", "ms", percentile(delays, 0.5)),
        _one(on, "dispatch_p95", "dispatch, idle, p95", "ms", percentile(delays, 0.95)),
    ]


async def measure_submission(on: Stage) -> list[Measured]:
    """One producer, one task at a time."""
    rate = await asyncio.to_thread(on.produce, "submit", str(SUBMISSIONS))
    return [_one(on, "submit_one", "submit in process, one at a time", "tasks/s", rate, digits=0)]


async def measure_idle(on: Stage) -> list[Measured]:
    """Workers with nothing to do."""
    assert on.peer.drain
    with on.workers(on.peer.drain) as groups:
        await asyncio.sleep(START_SECONDS)
        own = _cpu(groups)
        await asyncio.sleep(idle.SECONDS)
        used = 100 * (_cpu(groups) - own) / idle.SECONDS
        memory = sum(pss_mib(group.pids()) for group in groups)
    return [_one(on, "idle", "idle: CPU of all its processes", "%", used, digits=2), _one(on, "idle_memory", "idle: memory", "MiB", memory, digits=0)]


async def _waits(on: Stage, way: Way, number: int) -> float:
    await asyncio.to_thread(on.produce, "queue", "wait", str(number))
    with on.workers(way) as groups:
        await queued.recorded(on.place, number, *groups, seconds=120)
    return _checked_span(on.place.record, number)


def _checked_span(path: Path, number: int) -> float:
    if (ran := record.count(path)) != number:
        raise SystemExit(f"{ran:,} executions of {number:,} tasks")
    return record.span(path)


def _cpu(groups: Sequence[Group]) -> float:
    return sum(cpu_seconds(group.pids()) for group in groups)


def _one(on: Stage, key: str, title: str, unit: str, value: float, *, digits: int = 1) -> Measured:
    return Measured(key, title, unit, (value,), on.peer.name, digits=digits)
