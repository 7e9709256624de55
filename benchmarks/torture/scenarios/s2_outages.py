"""S2: mongod killed and restarted five times under HTTP submissions as fast as they are answered; then away for two leases with AI calls in flight."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from ainoval import mongo
from benchmarks.server import server, writers
from benchmarks.torture.clients import Told, submit_until
from benchmarks.torture.fleet import Fleet, until
from benchmarks.torture.judge import Evidence
from benchmarks.torture.load import all_ended
from benchmarks.torture.outage import kill_mongod, start_mongod
from benchmarks.torture.scenario import Control, Play, Scenario
from benchmarks.torture.writers import provider, scenes
from tasks_app import operations
from tests.support.ai_server import AIServerProcess

CLIENTS = 8
API_PROCESSES = 2
LEASE_SECONDS = 5.0  # after an outage workers have a third of it to come back, and on a busy machine one may need a second
CALL_SECONDS = 5.0
WORK_MILLISECONDS = 50


@dataclass(frozen=True, slots=True)
class Size:
    """Kills; AI calls before MongoDB goes for two leases, and how many must be in flight then; the submissions a second that must be answered while it is
    there, and for how long it is there between two kills.

    On a machine that has other things to do, the small sizes' calls do not all begin within one call's time.
    """

    kills: int
    calls: int
    in_flight: int
    rate: int
    up_seconds: float = 4.0


@dataclass
class Outages:
    """When MongoDB was away (by the monotonic clock), and when it came back (by its own)."""

    away: list[tuple[float, float]] = field(default_factory=list)
    back: list[datetime] = field(default_factory=list)

    async def have(self, on: Play, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Take MongoDB away for so long."""
        began = time.monotonic()
        kill_mongod(on.ground)
        await asyncio.sleep(seconds)
        self.back.append(await start_mongod(on.ground))
        self.away.append((began, time.monotonic()))


async def play(on: Play) -> None:
    """Kill under load, then the long outage."""
    size, line = on.size, on.line
    outages, told, stop = Outages(), Told(), asyncio.Event()
    users = await asyncio.to_thread(writers, CLIENTS)
    with AIServerProcess() as ai, server(on.ground, API_PROCESSES) as (port, api):
        ai.script({"contains": "", "steps": [{"do": "answer", "delay": CALL_SECONDS}]})
        async with Fleet(on.ground, clusters=1, **provider(ai) | {"TASKS_LEASE_SECONDS": f"{LEASE_SECONDS:g}"}) as fleet:
            before = {process.pid for process in fleet.processes()} | set(api.pids())
            began = time.monotonic()
            clients = asyncio.create_task(submit_until(stop, port, users, WORK_MILLISECONDS, told))
            up = []
            for _ in range(size.kills):
                since = time.monotonic()
                await asyncio.sleep(size.up_seconds + on.rng.random())
                up.append((since, time.monotonic()))
                await outages.have(on, on.rng.uniform(0.2, 1.5))
            await asyncio.sleep(size.up_seconds)

            found = await scenes("alice", size.calls)
            summaries = await asyncio.gather(
                *(operations.submit("alice", "GENERATE_SUMMARY", {"sceneId": scene, "autoApply": number % 2 == 0}) for number, scene in enumerate(found))
            )
            await until(lambda: ai.stats()["current"] >= size.in_flight, seconds=20)
            line.did("calls_in_flight", ai.stats()["current"], size.in_flight)
            await outages.have(on, 2 * LEASE_SECONDS)
            await asyncio.sleep(2.0)
            stop.set()
            await clients
            ended = time.monotonic()
            await all_ended(60)
            after = {process.pid for process in fleet.processes()} | set(api.pids())
        calls = ai.stats()["byMarker"]

    evidence = Evidence(mongo.uri(), mongo.database_name())
    summaries_ids = [submitted.task_id for submitted in summaries]
    line.none("lost", evidence.lost([*told.accepted, *summaries_ids]))
    line.none("left", evidence.left())
    line.none("not_completed", evidence.not_in("COMPLETED", evidence.tasks))
    line.none("other_answers", [status for status in told.statuses if status not in (202, 503)] + told.broken)
    line.none("processes_dead", before - after)
    lost = [hold for hold in evidence.all_holds() if hold.outcome == "lost" and hold.ended is not None]
    line.none(
        "losses",
        [
            f"{hold.owner}'s {(hold.ended.at - max(back for back in outages.back if back <= hold.ended.at)).total_seconds():.1f} s after the return"
            for hold in lost
            if hold.ended
        ],
    )
    line.none("attempts_consumed", [task["_id"] for task in evidence.tasks.values() if task["attempt"] != 1])
    line.none("calls_repeated", [marker for marker, count in calls.items() if count > 1])
    claims = sorted(hold.claimed.at for hold in evidence.all_holds())
    waits = [min(((claim - back).total_seconds() for claim in claims if claim >= back), default=float("inf")) for back in outages.back]
    line.at_most("claims_flow_after_seconds_max", max(waits), 5.0 + on.slack)
    line.none("twice", evidence.twice())
    line.none("missing", evidence.missing())
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims() + evidence.stolen_early())
    available = sum(until_ - since for since, until_ in up)
    line.at_least("accepted_a_second", sum(told.rate(since, until_) * (until_ - since) for since, until_ in up) / available, size.rate)
    line.did("mongod_kills", len(outages.away), size.kills + 1)
    line.did("seconds_away", sum(end - start for start, end in outages.away))
    line.did("accepted", len(told.accepted), size.rate * size.kills)
    line.did("refused", told.statuses[503], 1)
    line.note("seconds_of_load", ended - began)


S2 = Scenario(
    "S2",
    "mongod killed under HTTP load, and away for two leases",
    {"test": Size(1, 10, 5, 20, 2.0), "quick": Size(2, 20, 10, 20, 2.5), "full": Size(5, 40, 40, 80), "nightly": Size(60, 150, 150, 80)},
    play,
    Control("durability", ("lost",)),
)
