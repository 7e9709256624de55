"""S6: parents of twenty children under the killer, with cancellations and requeues mixed in."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ainoval import mongo
from benchmarks.torture.fleet import Fleet
from benchmarks.torture.judge import Evidence
from benchmarks.torture.killer import Killer
from benchmarks.torture.load import all_ended, submit_evenly
from benchmarks.torture.scenario import Control, Play, Scenario
from tasks_app import operations
from tasks_app.documents import TASKS
from tasks_app.errors import TaskError

CHILDREN = 20
MEDDLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Size:
    """Parents, kills, and the floors of cancellations that met running work and of requeues."""

    parents: int
    kills: int
    cancels: int
    requeues: int


async def meddle(on: Play, storm: asyncio.Task[None]) -> None:
    """Cancel and requeue parents, and cancel children, by chance, until the storm is over."""
    tasks = mongo.database()[TASKS]
    unfinished = {"status": {"$in": ["QUEUED", "RUNNING"]}}
    requeueable = {"status": {"$in": ["FAILED", "INTERRUPTED", "CANCELLED", "COMPLETED_WITH_ERRORS"]}}
    while not storm.done():  # not until it is cancelled: the driver takes a cancellation for a lost connection, now and then
        await asyncio.sleep(MEDDLE_SECONDS * 2 * on.rng.random())
        luck = on.rng.random()
        scope: dict[str, Any] = {"taskType": "TORTURE_WORK" if luck < 0.3 else "TORTURE_FAMILY"} | (unfinished if luck < 0.6 else requeueable)
        with suppress(TaskError, *mongo.UNAVAILABLE):
            found = await tasks.find(scope, {"_id": 1}, hint="listed").limit(50).to_list(None)
            if found:
                task = on.rng.choice(found)["_id"]
                await (operations.cancel(task, user_id=None) if luck < 0.6 else operations.requeue(task, user_id=None))


async def play(on: Play) -> None:
    """Families, kills and meddling at once."""
    size, line = on.size, on.line

    def family() -> dict[str, int]:
        failing = on.rng.choice([0, 0, 0, 2, CHILDREN])
        return {"children": CHILDREN, "milliseconds": on.rng.randint(20, 120), "failing": failing, "planningMilliseconds": on.rng.randint(0, 300)}

    async with Fleet(on.ground, TASKS_WORKER_CONCURRENCY="40") as fleet:
        killer = Killer(fleet, on.rng)
        storm = asyncio.create_task(killer.run(size.kills))
        meddling = asyncio.create_task(meddle(on, storm))
        accepted = await submit_evenly("TORTURE_FAMILY", size.parents, size.kills * 2.0, family)
        await storm
        await meddling
        await fleet.ready()
        await all_ended(60)

    evidence = Evidence(mongo.uri(), mongo.database_name())
    changes = [(change, task) for task, found in evidence.histories.items() for change in found]
    ways = Counter(change.statuses for change, _ in changes)
    line.note("tasks", len(evidence.tasks))
    line.none("lost", evidence.lost(accepted))
    line.none("left", evidence.left())
    line.none("parents_inexact", evidence.inexact())
    line.none("finished_often", evidence.finished_often() + evidence.ends_without_life())
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims())
    line.none("cancelled_yet_completed", evidence.completed_after_cancellation())
    line.none("twice", evidence.twice())
    line.none("missing", evidence.missing())
    line.note("repeats", evidence.repeats())
    line.did("kills", killer.count(), size.kills)
    line.did("losses", evidence.losses(), size.kills // 10)  # by chance: a few kills may all meet idle workers
    line.did("cancels_of_running_work", ways["RUNNING", "CANCELLING"], size.cancels)
    line.did("requeues", sum(ways[status, "QUEUED"] for status in ("FAILED", "INTERRUPTED", "CANCELLED", "COMPLETED_WITH_ERRORS")), size.requeues)


S6 = Scenario(
    "S6",
    "parents of twenty children under kills, cancels and requeues",
    {"test": Size(12, 3, 1, 1), "quick": Size(30, 6, 3, 3), "full": Size(200, 20, 20, 20), "nightly": Size(3_000, 300, 300, 300)},
    play,
    Control("parents_condition", ("finished_often", "illegal", "parents_inexact")),
)
