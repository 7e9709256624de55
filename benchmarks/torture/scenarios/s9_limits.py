"""S9: a limit of seven, for the whole system, for a type and for a user, on two clusters under the killer; counted by the AI server that is called."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from ainoval import mongo
from benchmarks.torture.fleet import Fleet, until
from benchmarks.torture.judge import Evidence
from benchmarks.torture.killer import Killer
from benchmarks.torture.load import AT_ONCE, all_ended
from benchmarks.torture.scenario import Control, Play, Scenario
from benchmarks.torture.writers import most_at_once, provider, scenes
from tasks_app import operations
from tests.support.ai_server import AIServerProcess

LIMIT = 7
CALL_SECONDS = 0.15
LONG_SECONDS = 3.0
WRITERS = ("alice", "bob")

LIMITS = {
    "system": {"TASKS_MAX_RUNNING": str(LIMIT)},
    "type": {"TASKS_TYPE_LIMITS": f"GENERATE_SUMMARY={LIMIT}"},
    "user": {"TASKS_MAX_RUNNING_PER_USER": str(LIMIT)},
}


@dataclass(frozen=True, slots=True)
class Size:
    """Tasks of each of the two writers under each limit, kills meanwhile, and which limits."""

    tasks: int
    kills: int
    limits: tuple[str, ...] = ("system", "type", "user")


async def play(on: Play) -> None:
    """For each limit: work under kills, then see that the limit's slots are all there still."""
    size, line = on.size, on.line
    accepted: list[str] = []
    killed: dict[str, datetime] = {}
    kills = idle = 0
    with AIServerProcess() as server:
        # The marker is in a scene's text; the last scenes of a writer are the long ones.
        for limit in size.limits:
            server.reset()
            server.script([{"contains": "slowly", "steps": [{"do": "answer", "delay": LONG_SECONDS}]}, {"steps": [{"do": "answer", "delay": CALL_SECONDS}]}])
            short = {writer: await scenes(writer, size.tasks) for writer in WRITERS}
            long = {writer: await scenes(writer, LIMIT + 1, "slowly") for writer in WRITERS}
            async with Fleet(on.ground, **provider(server) | LIMITS[limit]) as fleet:
                killer = Killer(fleet, on.rng)
                storm = asyncio.create_task(killer.run(size.kills))
                accepted += await summarise(short)
                await storm
                await fleet.ready()
                await all_ended(60)
                expected = LIMIT * (len(WRITERS) if limit == "user" else 1)
                accepted += await summarise(long)
                full = await until(lambda: server.stats()["current"] == expected, seconds=20)  # noqa: B023 - awaited here
                line.at_least(f"{limit}_slots_afterwards", server.stats()["current"] if not full else expected, expected)
                await all_ended(60)
            most = most_at_once(server.calls())
            line.at_most(f"{limit}_most_at_once", max(most[writer] for writer in WRITERS) if limit == "user" else most["*"], LIMIT)
            kills += killer.count()
            idle += killer.count("idle worker")
            killed |= {kill.owner: kill.at for kill in killer.kills if kill.owner}

    evidence = Evidence(mongo.uri(), mongo.database_name())
    line.none("lost", evidence.lost(accepted))
    line.none("left", evidence.left())
    line.none("not_completed", evidence.not_in("COMPLETED", accepted))
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims())
    line.did("kills", kills, size.kills * len(size.limits))
    line.did("idle_workers", idle)
    line.did("losses", evidence.losses(), size.kills // 6)  # by chance: a few kills may all meet idle workers
    # Two workers that saw the same room: what was over the limit went back unrun. Whether they do is chance, too.
    handed_back = sum(hold.outcome is None and hold.ended is not None for hold in evidence.all_holds())
    line.did("claims_handed_back", handed_back, size.kills * len(size.limits) // 4)


async def summarise(novels: dict[str, list[str]]) -> list[str]:
    """Ask for a summary of every scene, of the writers in turn."""
    wanted = [(writer, scene) for row in zip(*([(w, s) for s in found] for w, found in novels.items()), strict=True) for writer, scene in row]
    accepted = []
    for start in range(0, len(wanted), AT_ONCE):
        group = [operations.submit(writer, "GENERATE_SUMMARY", {"sceneId": scene}) for writer, scene in wanted[start : start + AT_ONCE]]
        accepted += [submitted.task_id for submitted in await asyncio.gather(*group)]
    return accepted


S9 = Scenario(
    "S9",
    "limits of seven on two clusters under kills, as the AI server counts them",
    {"test": Size(30, 1, ("user",)), "quick": Size(40, 2, ("system", "user")), "full": Size(220, 6), "nightly": Size(4_000, 60)},
    play,
    Control("second_count", ("system_most_at_once", "type_most_at_once", "user_most_at_once")),
)
