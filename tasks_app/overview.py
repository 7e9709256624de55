"""The whole system at a glance, for operators: how many tasks in which state, what waits and why, what runs within which limits, and who works."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from tasks_app.conf import WORKER_SILENCE
from tasks_app.documents import TASKS, WORKERS
from tasks_app.states import TaskStatus
from tasks_app.waiting import waiting_facts
from tasks_app.waits import waits
from tasks_app.worker.clock import ServerClock

Json = dict[str, Any]

WORKERS_KEPT = timedelta(days=1)  # the `forgotten` index deletes older ones


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process as it last reported."""

    name: str
    host: str
    pid: int
    alive: bool
    draining: bool
    heartbeat_age_seconds: float
    running: int
    slots: int


@dataclass(frozen=True, slots=True)
class Usage:
    """How many run at once of those that share a limit; `limit` 0 = none."""

    running: int
    limit: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of the system now.

    Attributes:
        by_type: By type, then by status; what does not occur is left out.
        waiting: Tasks that wait, by the reason's code (`waiting.REASONS`).
        oldest_wait_seconds: For how long the one that could have begun first has been waiting; None when none waits.
        users_at_limit: How many users have as many tasks running as one may.
    """

    by_status: dict[str, int]
    by_type: dict[str, dict[str, int]]
    waiting: dict[str, int]
    oldest_wait_seconds: float | None
    running: Usage
    running_by_type: dict[str, Usage]
    running_by_resource: dict[str, Usage]
    users_at_limit: int
    workers: list[Worker]


async def overview() -> Overview:
    """Read everything, each from an index."""
    db = mongo.database()
    clock = ServerClock()
    await clock.read(db)
    facts = await waiting_facts()
    by_type = await _by_type(db)
    by_status: Counter[str] = Counter()
    for counts in by_type.values():
        by_status.update(counts)
    waiting = await waits(db, facts)
    limits, live = facts.limits, facts.live
    return Overview(
        by_status={status.value: by_status[status.value] for status in TaskStatus},
        by_type=by_type,
        waiting=dict(waiting.by_reason.most_common()),
        oldest_wait_seconds=None if waiting.since is None else max((clock.now() - waiting.since).total_seconds(), 0.0),
        running=Usage(live.total, limits.total),
        running_by_type=_usages(live.types, limits.per_type),
        running_by_resource=_usages(live.resources, limits.per_resource),
        users_at_limit=sum(count >= limits.per_user for count in live.users.values()) if limits.per_user else 0,
        workers=await reported_workers(db, clock.now()),
    )


def _usages(running: Counter[str], limits: dict[str, int]) -> dict[str, Usage]:
    return {name: Usage(running[name], limits.get(name, 0)) for name in sorted({*running, *limits})}


async def _by_type(db: AsyncDatabase[Json]) -> dict[str, dict[str, int]]:
    # `user_created` has status and type, so the index alone answers: no document is read.
    stages = [{"$group": {"_id": {"taskType": "$taskType", "status": "$status"}, "count": {"$sum": 1}}}]
    counted: dict[str, dict[str, int]] = {}
    async for group in await db[TASKS].aggregate(stages, hint="user_created"):
        counted.setdefault(group["_id"]["taskType"], {})[group["_id"]["status"]] = group["count"]
    return {task_type: dict(sorted(counts.items())) for task_type, counts in sorted(counted.items())}


async def reported_workers(db: AsyncDatabase[Json], now: datetime) -> list[Worker]:
    """Return the workers that have reported within a day, the latest report first."""
    recent = {"heartbeatAt": {"$gt": now - WORKERS_KEPT}}
    reported = await db[WORKERS].find(recent, {"types": 0}, hint="forgotten").sort("heartbeatAt", -1).to_list(None)
    return [
        Worker(
            name=document["_id"],
            host=document["host"],
            pid=document["pid"],
            alive=now - document["heartbeatAt"] < WORKER_SILENCE,
            draining=document["draining"],
            heartbeat_age_seconds=max((now - document["heartbeatAt"]).total_seconds(), 0.0),
            running=document["running"],
            slots=document["slots"],
        )
        for document in reported
    ]
