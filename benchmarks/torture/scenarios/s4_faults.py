"""S4: one call to the database in ten fails before it is executed, one in twenty is executed and then reported as failed; on every call, in all processes."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ainoval import mongo
from benchmarks.torture.fleet import Fleet
from benchmarks.torture.judge import Evidence
from benchmarks.torture.load import USERS, all_ended
from benchmarks.torture.scenario import Control, Play, Scenario
from tasks_app import operations

CLIENTS = 16
CHILDREN = 20


@dataclass(frozen=True, slots=True)
class Size:
    """Single tasks, families of twenty, cancellations, and the floors: of all faults, of groups executed by half, and of what ended cancelled."""

    singles: int
    families: int
    cancels: int
    faults: int
    half: int = 1
    cancelled: int = 1


async def insist(user: str, task_type: str, parameters: Mapping[str, Any], refused: Counter[str]) -> str:
    """Submit as a client does that is told 503: again, with the same Idempotency-Key, until it is accepted."""
    key = uuid.uuid4().hex
    while True:
        try:
            return (await operations.submit(user, task_type, parameters, idempotency_key=key)).task_id
        except mongo.UNAVAILABLE as exc:
            refused[type(exc).__name__] += 1
            await asyncio.sleep(0.01)


async def play(on: Play) -> None:
    """Submit everything through failing calls, cancel some, wait, count."""
    size, line = on.size, on.line
    noted = on.ground.folder / "faults"
    refused: Counter[str] = Counter()
    work = [("TORTURE_WORK", {"milliseconds": on.rng.randint(5, 40), "fails": on.rng.random() < 0.05}) for _ in range(size.singles)]
    work += [("TORTURE_FAMILY", {"children": CHILDREN, "milliseconds": 20, "failing": on.rng.choice([0, 0, 3])}) for _ in range(size.families)]
    on.rng.shuffle(work)
    accepted: list[str] = []
    queue = iter(enumerate(work))

    async def client() -> None:
        for number, (task_type, parameters) in queue:
            accepted.append(await insist(USERS[number % len(USERS)], task_type, parameters, refused))

    async def canceller() -> None:
        done = 0
        while done < size.cancels:
            await asyncio.sleep(0.05)
            if accepted:
                try:
                    await operations.cancel(on.rng.choice(accepted), user_id=None)
                except (*mongo.UNAVAILABLE, operations.InvalidTransition):
                    pass
                done += 1

    async with Fleet(on.ground) as fleet:
        await asyncio.gather(canceller(), *(client() for _ in range(CLIENTS)))
        await all_ended(60)
        alive = [process.pid for process in fleet.processes()]

    evidence = Evidence(mongo.uri(), mongo.database_name())
    line.note("tasks", len(evidence.tasks))
    line.none("lost", evidence.lost(accepted))
    line.none("doubled", set(evidence.tasks) - set(accepted) - {task["_id"] for task in evidence.tasks.values() if task.get("parentId")})
    line.none("left", evidence.left())
    line.none("twice", evidence.twice())
    line.none("missing", evidence.missing())
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims())
    line.none("foreign_writes", evidence.foreign_writes() + evidence.results_of_others())
    line.none("parents_inexact", evidence.inexact())
    line.none("finished_often", evidence.finished_often())
    line.at_least("processes_alive", len(alive), 2 * (1 + 1 + 2))
    line.note("repeats", evidence.repeats())
    line.note("losses", evidence.losses())
    faults = Counter(each.split()[0] for each in noted.read_text().splitlines())
    line.did("faults", faults.total(), size.faults)
    for kind, floor in (("before", 1), ("after", 1), ("half", size.half)):
        line.did(f"faults_{kind}", faults[kind], floor)
    line.did("submissions_refused", refused.total(), 1)
    line.did("cancelled", sum(task["status"] == "CANCELLED" for task in evidence.tasks.values()), size.cancelled)


S4 = Scenario(
    "S4",
    "every call to the database: 10 % fail before, 5 % are executed and reported as failed",
    {
        "test": Size(60, 1, 3, 40, half=0, cancelled=0),
        "quick": Size(400, 5, 10, 150, cancelled=0),
        "full": Size(2_400, 30, 60, 400),
        "nightly": Size(24_000, 300, 600, 5_000),
    },
    play,
    Control("repeatability", ("doubled", "parents_inexact")),
    apps=("faults",),
)
