"""S3: workers that stand still for three leases, lose what they held, and wake up again; and workers whose clocks are ten minutes wrong.

Four clusters: one as it ships, one with its clock ahead, one behind, and a careless one, whose workers neither doubt a lease nor notice that they lost it.
A worker as it ships hardly ever writes what would have to be refused; the careless ones write all of it.
"""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from ainoval import mongo
from benchmarks.torture.fleet import Fleet, until
from benchmarks.torture.judge import Evidence
from benchmarks.torture.load import all_ended, submit
from benchmarks.torture.scenario import Control, Play, Scenario
from tasks_app.documents import TASKS

LEASE = 1.5
LEASES_STILL = 3
WRONG_SECONDS = 600
SLOTS = 12
AT_ONCE = 5
WORKERS_EACH = 2


@dataclass(frozen=True, slots=True)
class Size:
    """How many zombies."""

    zombies: int


@dataclass(frozen=True, slots=True)
class Still:
    """One worker's standstill."""

    owner: str
    began: datetime
    ended: datetime


def work(on: Play) -> list[tuple[str, dict[str, int | bool]]]:
    """Return a wave that fills every slot of the fleet: work that reports, work that fails, and parents about to plant."""
    wave: list[tuple[str, dict[str, int | bool]]] = []
    for number in range(4 * WORKERS_EACH * SLOTS):
        if number % 16 == 15:
            wave.append(("TORTURE_FAMILY", {"children": 3, "milliseconds": 50, "planningMilliseconds": on.rng.randint(300, 1_500)}))
        else:
            wave.append(("TORTURE_WORK", {"milliseconds": on.rng.randint(100, 500), "steps": 3, "fails": number % 5 == 0}))
    return wave


async def stand_still(on: Play, fleet: Fleet, wanted: int) -> list[Still]:
    """Stop some workers that hold tasks, for three leases."""
    wave = work(on)
    on.rng.shuffle(wave)
    for task_type in ("TORTURE_FAMILY", "TORTURE_WORK"):
        await submit(task_type, [parameters for kind, parameters in wave if kind == task_type])
    victims: dict[int, str] = {}

    async def found() -> bool:
        owners = await fleet.owners()
        held: Counter[str] = Counter()
        async for task in mongo.database()[TASKS].find({"status": "RUNNING", "lease.owner": {"$gt": ""}}, {"lease.owner": 1}, hint="active"):
            held[task["lease"]["owner"]] += 1
        busy = sorted(pid for pid, owner in owners.items() if held[owner] >= 3)
        on.rng.shuffle(busy)
        victims.update({pid: owners[pid] for pid in busy[:wanted]})
        return len(victims) >= min(wanted, 2)

    await until(found, seconds=5, every=0.02)
    began = datetime.now(UTC)
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(LEASES_STILL * LEASE)
    finally:
        ended = datetime.now(UTC)
        for pid in victims:
            os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(1.0)  # what they have to say, they say now
    return [Still(owner, began, ended) for owner in victims.values()]


def refused(on: Play) -> int:
    """Return how many attempts the workers' logs say were given up because their lease was lost."""
    lines = (line for log in on.ground.folder.glob("cluster-*.log") for line in log.read_text().splitlines() if '"attempt_abandoned"' in line)
    return sum(json.loads(line)["reason"] == "lease_lost" for line in lines)


async def play(on: Play) -> None:
    """Let workers stand still, wake them, and look whose writes were accepted."""
    size, line = on.size, on.line
    apps, broken = os.environ["TORTURE_APPS"], os.environ.get("TORTURE_BREAK")
    wrong = {"TORTURE_APPS": ",".join(filter(None, ("clocks", apps)))}
    careless = {"TORTURE_APPS": "controls", "TORTURE_BREAK": ",".join(filter(None, ("local_watch", broken)))}
    clusters = [{}, wrong | {"TORTURE_CLOCK": str(WRONG_SECONDS)}, wrong | {"TORTURE_CLOCK": str(-WRONG_SECONDS)}, careless]
    stills: list[Still] = []
    deadline = time.monotonic() + 10 * size.zombies
    settings = {"TASKS_LEASE_SECONDS": f"{LEASE:g}", "TASKS_PROGRESS_INTERVAL": "0.1", "TASKS_WORKER_CONCURRENCY": str(SLOTS)}
    async with Fleet(on.ground, workers=WORKERS_EACH, per_cluster=clusters, **settings) as fleet:
        owners = [set() for _ in clusters]
        while len(stills) < size.zombies and time.monotonic() < deadline:
            names = await fleet.owners()
            for process in fleet.processes():
                if process.pid in names:
                    owners[process.cluster].add(names[process.pid])
            stills += await stand_still(on, fleet, min(AT_ONCE, size.zombies - len(stills)))
        await all_ended(30)
        alive = len(fleet.processes())

    evidence = Evidence(mongo.uri(), mongo.database_name())
    lost = [hold for hold in evidence.all_holds() if hold.outcome == "lost" and hold.ended is not None]
    robbed = [each for each in stills if any(hold.owner == each.owner and each.began <= hold.ended.at <= each.ended for hold in lost)]
    line.none("zombie_writes", evidence.foreign_writes() + evidence.results_of_others())
    line.none("stolen_early", evidence.stolen_early() + evidence.cut_short(LEASE))
    line.none("left", evidence.left())
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims())
    line.none("parents_inexact", evidence.inexact() + evidence.finished_often())
    line.none("missing", evidence.missing())
    line.none("twice", evidence.twice(but_for=owners[3]))
    line.at_least("processes_alive", alive, len(clusters) * (2 + WORKERS_EACH))
    line.note("tasks", len(evidence.tasks))
    line.note("tries_late", evidence.late())
    line.did("zombies", len(robbed), size.zombies - size.zombies // 10 if size.zombies < 50 else 50)
    for number, name in enumerate(("as_it_ships", "clock_ahead", "clock_behind", "careless")):
        line.did(f"zombies_{name}", sum(each.owner in owners[number] for each in robbed))
    line.note("losses_of_others", sum(not any(each.owner == hold.owner for each in stills) for hold in lost))  # they had too little of the processor to renew
    line.did("losses", len(lost), size.zombies)
    line.did("attempts_given_up", refused(on), size.zombies)


S3 = Scenario(
    "S3",
    "zombies: workers stopped for three leases and continued; clocks ten minutes wrong",
    {"test": Size(4), "quick": Size(8), "full": Size(54), "nightly": Size(500)},
    play,
    Control("fencing", ("zombie_writes",)),
)
