"""S8: SIGTERM under load: ten times, five in half a second, and once while MongoDB is away. Two clusters; the other one goes on."""

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from ainoval import mongo
from benchmarks.torture.fleet import LEASE_SECONDS, Fleet, until
from benchmarks.torture.judge import Evidence
from benchmarks.torture.load import all_ended, submit
from benchmarks.torture.outage import kill_mongod, start_mongod
from benchmarks.torture.scenario import Control, Play, Scenario
from tasks_app.documents import TASKS
from tests.support.cluster import is_running

GRACE = 1.5
LONG_MILLISECONDS = 4_000  # longer than the grace: these are handed back
TOGETHER = 12


@dataclass(frozen=True, slots=True)
class Size:
    """How often one SIGTERM, how often five in half a second, how often one while MongoDB is away."""

    single: int
    bursts: int
    away: int


@dataclass(slots=True)
class Stop:
    """One stop of a cluster: its owners, how long it took, and what it left."""

    kind: str
    owners: set[str]
    seconds: float
    left: int
    alive: list[int]


async def held_by(owners: set[str], **parameters: int) -> int:
    """Return how many tasks these workers hold; with parameters, how many with those."""
    held = {"status": {"$in": ["RUNNING", "CANCELLING"]}, "lease.owner": {"$in": sorted(owners)}}
    held |= {f"parameters.{name}": value for name, value in parameters.items()}
    return await mongo.database()[TASKS].count_documents(held, hint="active")


async def stop(on: Play, fleet: Fleet, number: int, kind: str) -> Stop:
    """Stop one cluster while it works, and look at what it left."""
    await fleet.ready()
    cluster = fleet.clusters[number]
    pids = cluster.workers
    owners = {owner for pid, owner in (await fleet.owners()).items() if pid in pids}
    for _ in range(20):  # the other cluster may be faster, and take it all
        work = [{"milliseconds": on.rng.randint(100, 900)} for _ in range(TOGETHER)] + [{"milliseconds": LONG_MILLISECONDS}] * TOGETHER
        await submit("TORTURE_WORK", work)
        await asyncio.sleep(0.1)
        if await held_by(owners, milliseconds=LONG_MILLISECONDS) >= TOGETHER // 2:
            break
    if kind == "away":
        kill_mongod(on.ground)
        await asyncio.sleep(0.3)
    began = time.monotonic()
    for _ in range(5 if kind == "burst" else 1):
        if kind == "burst":
            with suppress(ProcessLookupError):
                os.killpg(cluster.pid, signal.SIGTERM)  # the whole group, as a terminal or a service manager may
            await asyncio.sleep(0.1)
        else:
            cluster.terminate()
    await until(lambda: cluster.process.poll() is not None, seconds=GRACE + 10, every=0.01)
    seconds = time.monotonic() - began
    alive = [pid for pid in pids if is_running(pid)]
    if kind == "away":
        await start_mongod(on.ground)
        await until(lambda: _nothing_held(owners), seconds=LEASE_SECONDS + 3)
    return Stop(kind, owners, seconds, await held_by(owners), alive)


async def _nothing_held(owners: set[str]) -> bool:
    return await held_by(owners) == 0


async def play(on: Play) -> None:
    """Stop the two clusters in turn; the supervisor starts each again."""
    size, line = on.size, on.line
    kinds = ["single"] * size.single + ["burst"] * size.bursts + ["away"] * size.away
    async with Fleet(on.ground, TASKS_SHUTDOWN_GRACE=f"{GRACE:g}") as fleet:
        stops = [await stop(on, fleet, number % 2, kind) for number, kind in enumerate(kinds)]
        await all_ended(40)

    evidence = Evidence(mongo.uri(), mongo.database_name())
    line.none("left", evidence.left())
    line.none("not_completed", evidence.not_in("COMPLETED", evidence.tasks))
    for kind in dict.fromkeys(kinds):
        line.at_most(f"exit_seconds_{kind}", max(each.seconds for each in stops if each.kind == kind), GRACE + 1 + on.slack)
    line.at_most("running_left", sum(each.left for each in stops), 0)
    line.none("alive_after_exit", [pid for each in stops for pid in each.alive])
    line.none("attempts_consumed", [task["_id"] for task in evidence.tasks.values() if task["attempt"] != 1])
    away = {owner for each in stops if each.kind == "away" for owner in each.owners}
    lost = [hold for hold in evidence.all_holds() if hold.outcome == "lost"]
    line.none("losses_consumed", [hold.task for hold in lost if hold.owner not in away])
    line.at_most("losses_each_without_mongod", max(Counter(hold.task for hold in lost).values(), default=0), 1)
    stopped = {owner for each in stops for owner in each.owners}
    handed_on = [
        (later.claimed.at - hold.ended.at).total_seconds()
        for holds in evidence.holds.values()
        for hold, later in itertools.pairwise(holds)
        if hold.outcome == "released" and hold.owner in stopped and hold.ended is not None
    ]
    line.at_most("taken_up_seconds_max", max(handed_on, default=0.0), 2.0 + on.slack)
    line.none("twice", evidence.twice())
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims() + evidence.stolen_early())
    line.did("single", size.single, size.single)
    line.did("five_in_half_a_second", size.bursts, size.bursts)
    line.did("without_mongod", size.away, size.away)
    line.did("released", len(handed_on), 3 * size.single)
    line.did("losses", len(lost))


S8 = Scenario(
    "S8",
    "SIGTERM under load, five at once, and while mongod is down",
    {"test": Size(1, 0, 0), "quick": Size(2, 1, 1), "full": Size(10, 2, 1), "nightly": Size(60, 20, 10)},
    play,
    Control("release", ("running_left", "losses_consumed", "taken_up_seconds_max")),
)
