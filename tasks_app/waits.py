"""How many tasks wait, and for what: one pass over the index of the queued, one over that of the active.

The queue may be long, and a look at it must not make a page late: `known` gives what is known after a moment's patience, and the counting goes on.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from ainoval.logs import get_logger
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tasks_app.waiting import WaitingFacts, waiting_reason

Json = dict[str, Any]

PATIENCE_SECONDS: Final = 0.06
FIRST_PATIENCE_SECONDS: Final = 0.25  # while nothing is known at all
SHORTEST_AGE_SECONDS: Final = 1.5
# Counted anew when it is this many times older than it took: at most a twentieth of one processor, however long the queue.
AGE_TO_COST: Final = 20

log = get_logger(__name__)


@dataclass(slots=True)
class Waits:
    """What waits.

    Attributes:
        by_reason: By the reason's code (`waiting.REASONS`).
        queued_by_type: QUEUED tasks by type.
        since: When the first of the queued could have begun; None when nothing is queued.
        limited_until: By resource: when the first of the tasks that a provider told to wait tries again.
    """

    by_reason: Counter[str] = field(default_factory=Counter)
    queued_by_type: Counter[str] = field(default_factory=Counter)
    since: datetime | None = None
    limited_until: dict[str, datetime] = field(default_factory=dict)


async def waits(db: AsyncDatabase[Json], facts: WaitingFacts) -> Waits:
    """Count what waits. Tasks of one user, type and resource wait for the same reason, so the reason is found once for each such group."""
    found = Waits()
    alike = {"userId": "$userId", "taskType": "$taskType", "resource": "$resource"}
    group: Json = {"$group": {"_id": alike, "count": {"$sum": 1}, "since": {"$min": "$availableAt"}}}
    # In the order of the index, so that MongoDB's groups are neighbours.
    async for each in await db[TASKS].aggregate([{"$match": {"status": TaskStatus.QUEUED.value}}, group], hint="claim_by_user"):
        task = {"status": TaskStatus.QUEUED.value, "availableAt": each["since"], "resource": None, **each["_id"]}
        found.by_reason[_code(task, facts)] += each["count"]
        found.queued_by_type[task["taskType"]] += each["count"]
        found.since = min(found.since or each["since"], each["since"])
    unclaimed: Json = {"status": {"$in": [TaskStatus.RUNNING.value, TaskStatus.CANCELLING.value, TaskStatus.RETRYING.value]}, "lease.owner": None}
    of_active: Json = {"status": "$status", "wait": "$wait.code", "resource": "$resource", "parent": {"$gt": ["$children.total", None]}}
    of_active["due"] = {"$lte": ["$availableAt", "$$NOW"]}
    group["$group"]["_id"] = of_active
    async for each in await db[TASKS].aggregate([{"$match": unclaimed}, group], hint="active"):
        of = each["_id"]
        task = {"status": of["status"], "availableAt": each["since"]}
        task |= {"wait": {"code": of["wait"]}} if of.get("wait") else {}
        task |= {"children": {"total": 1}} if of["parent"] else {}
        code = _code(task, facts)
        found.by_reason[code] += each["count"]
        if code == "provider_limited" and (resource := of.get("resource")):
            found.limited_until[resource] = min(found.limited_until.get(resource, each["since"]), each["since"])
    del found.by_reason[""]
    return found


def _code(task: Json, facts: WaitingFacts) -> str:
    reason = waiting_reason(task, facts)
    return str(reason["code"]) if reason else ""


@dataclass(slots=True)
class _Known:
    waits: Waits | None = None
    at: float = float("-inf")
    cost: float = 0.0
    under_way: "asyncio.Task[None] | None" = None


_known: dict[str, _Known] = {}


async def known(db: AsyncDatabase[Json], facts: WaitingFacts) -> Waits | None:
    """Return what waits, as it was counted a moment ago; None when nothing is known yet, and counting goes on."""
    entry = _known.get(db.name)
    if entry is None:
        _known.clear()
        entry = _known[db.name] = _Known()
    if time.monotonic() - entry.at > max(SHORTEST_AGE_SECONDS, AGE_TO_COST * entry.cost):
        if entry.under_way is None:
            entry.under_way = asyncio.create_task(_count(db, facts, entry))
        await asyncio.wait({entry.under_way}, timeout=PATIENCE_SECONDS if entry.waits else FIRST_PATIENCE_SECONDS)
    return entry.waits


async def _count(db: AsyncDatabase[Json], facts: WaitingFacts, entry: _Known) -> None:
    began = time.monotonic()
    try:
        entry.waits = await waits(db, facts)
    except PyMongoError as exc:
        log.warning("waits_not_counted", error=type(exc).__name__)
    finally:
        entry.at = time.monotonic()
        entry.cost = entry.at - began
        entry.under_way = None
