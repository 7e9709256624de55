"""S1: kill -9 of a random process of ours every two seconds under load, then one poisonous task among many innocent ones."""

import asyncio
from dataclasses import dataclass

from ainoval import mongo
from benchmarks.torture.fleet import GRACE_SECONDS, LEASE_SECONDS, Fleet, until
from benchmarks.torture.ground import left_behind, marked
from benchmarks.torture.judge import Evidence
from benchmarks.torture.killer import Killer
from benchmarks.torture.load import all_ended, submit, submit_evenly, wedged
from benchmarks.torture.scenario import Control, Play, Scenario

SLOTS = 20


@dataclass(frozen=True, slots=True)
class Size:
    """Tasks during the storm, innocent ones beside the poison, kills and the floor of those of idle workers."""

    tasks: int
    innocent: int
    kills: int
    idle: int


async def play(on: Play) -> None:
    """Storm, poison, probe, count."""
    size, line = on.size, on.line
    async with Fleet(on.ground, TASKS_WORKER_CONCURRENCY=str(SLOTS)) as fleet:
        killer = Killer(fleet, on.rng)
        storm = asyncio.create_task(killer.run(size.kills + 2))
        seconds = (size.kills + 2) * 2.0
        accepted = await submit_evenly("TORTURE_WORK", size.tasks, seconds, lambda: {"milliseconds": on.rng.randint(20, 200)})
        await storm
        await fleet.ready()
        settled = await all_ended(30)

        [poison], innocent = await submit("TORTURE_POISON", [{}]), []
        if settled:
            innocent = await submit("TORTURE_WORK", [{"milliseconds": on.rng.randint(20, 200)} for _ in range(size.innocent)])
            settled = await all_ended(60)
        stuck = await wedged(fleet, SLOTS) if settled else ["not tried: the tasks have not ended"]
    # Whoever was killed at the stop is there for a moment more: nobody waits for the end of a process that is no child of ours.
    await until(lambda: not marked(on.ground.mark), seconds=2.0, every=0.05)
    orphans = left_behind(on.ground.mark)

    evidence = Evidence(mongo.uri(), mongo.database_name())
    accepted += innocent
    line.note("tasks", len(evidence.tasks))
    line.none("lost", evidence.lost([*accepted, poison]))
    line.none("left", evidence.left())
    line.none("twice", evidence.twice())
    line.none("missing", evidence.missing())
    line.none("not_completed", evidence.not_in("COMPLETED", accepted))
    line.none("poison_not_interrupted", evidence.not_in("INTERRUPTED", [poison]))
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims())
    line.none("wedged", stuck)
    line.none("orphans", orphans)
    line.at_most("orphan_seconds", killer.orphan_seconds, GRACE_SECONDS + 1 + on.slack)
    killed = {kill.owner: kill.at for kill in killer.kills if kill.owner}
    reruns = evidence.reruns(killed)
    line.at_most("rerun_seconds_max", max(reruns, default=0.0), LEASE_SECONDS + 2 + on.slack)
    line.note("repeats", evidence.repeats())

    idle = sum(not evidence.held_at(kill.owner, kill.at) for kill in killer.kills if kill.kind == "idle worker" and kill.owner)
    line.did("kills", killer.count(), size.kills)
    line.did("idle_workers", idle, size.idle)
    for kind in ("busy worker", "sentinel", "main"):
        line.did(f"{kind.replace(' ', '_')}s", killer.count(kind), 1)
    line.did("losses", evidence.losses(), 1)
    line.did("reruns", len(reruns), 1)
    line.did("restarts", fleet.restarts)


S1 = Scenario(
    "S1",
    "kill -9 of any process of ours, every 2 s under load, and a poisonous task",
    {"test": Size(120, 40, 4, 1), "quick": Size(600, 100, 8, 1), "full": Size(5_000, 500, 30, 8), "nightly": Size(30_000, 2_000, 200, 50)},
    play,
    Control("recovery", ("left", "lost")),
)
