"""The whole system at a glance, for operators: how many tasks in which state, what waits and why, what runs within which limits, and who works."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from tasks_app.documents import TASKS, WORKERS
from tasks_app.states import TaskStatus
from tasks_app.waiting import WORKER_SILENCE, WaitingFacts, waiting_facts, waiting_reason
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
        waiting: Tasks that wait, by the reason's code (DESIGN D11).
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
    waiting, since = await _waiting(db, facts)
    limits, live = facts.limits, facts.live
    return Overview(
        by_status={status.value: by_status[status.value] for status in TaskStatus},
        by_type=by_type,
        waiting=waiting,
        oldest_wait_seconds=None if since is None else max((clock.now() - since).total_seconds(), 0.0),
        running=Usage(live.total, limits.total),
        running_by_type=_usages(live.types, limits.per_type),
        running_by_resource=_usages(live.resources, limits.per_resource),
        users_at_limit=sum(count >= limits.per_user for count in live.users.values()) if limits.per_user else 0,
        workers=await _workers(db, clock.now()),
    )


def _usages(running: Counter[str], limits: dict[str, int]) -> dict[str, Usage]:
    return {name: Usage(running[name], limits.get(name, 0)) for name in sorted({*running, *limits})}


async def _by_type(db: AsyncDatabase[Json]) -> dict[str, dict[str, int]]:
    # `user_created` ends with status and type, so the index alone answers: no document is read.
    stages = [{"$group": {"_id": {"taskType": "$taskType", "status": "$status"}, "count": {"$sum": 1}}}]
    counted: dict[str, dict[str, int]] = {}
    async for group in await db[TASKS].aggregate(stages, hint="user_created"):
        counted.setdefault(group["_id"]["taskType"], {})[group["_id"]["status"]] = group["count"]
    return {task_type: dict(sorted(counts.items())) for task_type, counts in sorted(counted.items())}


async def _waiting(db: AsyncDatabase[Json], facts: WaitingFacts) -> tuple[dict[str, int], datetime | None]:
    """Count waiting tasks by reason, and return since when the first of the queued could have begun.

    Tasks of one user, type and resource wait for the same reason, so the reason is found once for each such group.
    """
    alike = {
        "userId": "$userId",
        "taskType": "$taskType",
        "resource": "$resource",
        "status": "$status",
        "lease": "$lease.owner",
        "wait": "$wait.code",
        "parent": {"$gt": ["$children.total", None]},
    }
    group = {"$group": {"_id": alike, "count": {"$sum": 1}, "since": {"$min": "$availableAt"}}}
    waiting: Counter[str] = Counter()
    since: datetime | None = None
    queued = await db[TASKS].aggregate([{"$match": {"status": TaskStatus.QUEUED.value}}, group], hint="claim")
    async for each in queued:
        waiting[_code(each, facts)] += each["count"]
        since = min(since or each["since"], each["since"])
    unclaimed = {"status": {"$in": [TaskStatus.RUNNING.value, TaskStatus.CANCELLING.value, TaskStatus.RETRYING.value]}, "lease.owner": None}
    async for each in await db[TASKS].aggregate([{"$match": unclaimed}, group], hint="active"):
        waiting[_code(each, facts)] += each["count"]
    waiting.pop("", None)
    return dict(waiting.most_common()), since


def _code(group: Json, facts: WaitingFacts) -> str:
    alike = group["_id"]
    task: Json = {name: alike[name] for name in ("userId", "taskType", "status") if name in alike}
    task |= {"availableAt": group["since"], "resource": alike.get("resource")}
    if alike.get("wait"):
        task["wait"] = {"code": alike["wait"]}
    if alike["parent"]:
        task["children"] = {"total": 1}
    reason = waiting_reason(task, facts)
    return str(reason["code"]) if reason else ""


async def _workers(db: AsyncDatabase[Json], now: datetime) -> list[Worker]:
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
