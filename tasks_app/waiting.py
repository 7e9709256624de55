"""Why a task waits: every wait has a reason, told from what is known of the system at this moment."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ainoval import mongo
from ainoval.ai.apps import configured_profiles
from tasks_app.conf import WORKER_SILENCE, task_settings
from tasks_app.documents import WORKERS
from tasks_app.states import LEASED, TERMINAL, TaskStatus
from tasks_app.worker.limits import Limits, Live, count_live

Json = dict[str, Any]

FACTS_AGE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WaitingFacts:
    """What explains waiting: who works, on what, within which limits. At most a second old."""

    limits: Limits
    live: Live
    workers: int
    types: frozenset[str] = field(default_factory=frozenset)


_known: dict[str, tuple[float, WaitingFacts]] = {}


async def waiting_facts() -> WaitingFacts:
    """Return what is known now, read at most once a second."""
    db = mongo.database()
    known = _known.get(db.name)
    if known and time.monotonic() - known[0] < FACTS_AGE_SECONDS:
        return known[1]
    alive = {"heartbeatAt": {"$gt": datetime.now(UTC) - WORKER_SILENCE}, "draining": False}
    workers = await db[WORKERS].find(alive, {"types": 1}).to_list(None)
    per_resource = {f"ai:{name}": profile.max_concurrency for name, profile in configured_profiles().items()}
    facts = WaitingFacts(
        limits=Limits.current(task_settings(), per_resource),
        live=await count_live(db),
        workers=len(workers),
        types=frozenset(name for worker in workers for name in worker.get("types", ())),
    )
    _known.clear()
    _known[db.name] = (time.monotonic(), facts)
    return facts


def waiting_reason(task: Json, facts: WaitingFacts) -> Json | None:
    """Return `{code, message, until?}` for a task that waits, None for one that does not."""
    match TaskStatus(task["status"]):
        case TaskStatus.RETRYING if not facts.workers and task["availableAt"] <= datetime.now(UTC):
            return _queued(task, facts)  # its time has come, and nobody is there to take it up
        case TaskStatus.RETRYING:
            wait = task.get("wait") or {}
            message = f"The next attempt begins later: {wait.get('message') or 'the last one failed.'}"
            return {"code": wait.get("code", "backoff"), "message": message, "until": task["availableAt"]}
        case TaskStatus.RUNNING | TaskStatus.CANCELLING if "lease" not in task and task.get("children"):
            return {"code": "awaiting_children", "message": "Waiting for the tasks of this batch to end."}
        case TaskStatus.QUEUED:
            return _queued(task, facts)
        case _:
            return None


_LIMIT_MESSAGES = {
    "system_limit": "As many tasks are running as the system allows.",
    "type_limit": "As many tasks of this type are running as are allowed at once.",
    "user_limit": "As many of your tasks are running as are allowed at once.",
    "provider_limited": "The AI provider is used by as many tasks as its profile allows.",
}


def _queued(task: Json, facts: WaitingFacts) -> Json:
    if not facts.workers:
        return {"code": "no_worker", "message": "No worker is running; the task will begin when one is started."}
    if task["taskType"] not in facts.types:
        return {"code": "unknown_type", "message": "No running worker knows this task type."}
    if code := facts.limits.reason(task, facts.live):
        return {"code": code, "message": _LIMIT_MESSAGES[code]}
    return {"code": "queued", "message": "In the queue for a free worker."}


NOT_WAITING = "no"
REASONS = ("queued", "system_limit", "type_limit", "user_limit", "provider_limited", "backoff", "awaiting_children", "no_worker", "unknown_type")
"""The codes that are given; the API also describes `paused` and `budget`, which come with later work."""

_NOTHING: Json = {"status": {"$in": []}}


def waiting_query(code: str, facts: WaitingFacts) -> Json:
    """Return which tasks wait for a reason, as MongoDB takes it: those of which `waiting_reason` says this code, at this moment.

    Args:
        code: One of REASONS; or NOT_WAITING, for the tasks that a worker holds and those that have ended.
    """
    queued, retrying = TaskStatus.QUEUED.value, TaskStatus.RETRYING.value
    later: Json = {"status": retrying} | ({} if facts.workers else {"$expr": {"$gt": ["$availableAt", "$$NOW"]}})
    match code:
        case "backoff":
            return {**later, "wait.code": {"$ne": "provider_limited"}}
        case "awaiting_children":
            return {"status": {"$in": sorted(LEASED)}, "lease.owner": None}
        case code if code == NOT_WAITING:
            return {"$or": [{"status": {"$in": sorted(TERMINAL)}}, {"status": {"$in": sorted(LEASED)}, "lease.owner": {"$gt": ""}}]}
        case "provider_limited":
            limited = {**later, "wait.code": "provider_limited"}
            return {"status": {"$in": [queued, retrying]}, "$or": [limited, {"status": queued, **_queued_for(code, facts)}]}
        case "no_worker" if not facts.workers:
            return {"status": {"$in": [queued, retrying]}, "$or": [{"status": queued}, {"$expr": {"$lte": ["$availableAt", "$$NOW"]}}]}
        case _:
            return {"status": queued, **_queued_for(code, facts)}


def _queued_for(code: str, facts: WaitingFacts) -> Json:
    """Return which of the queued wait for a reason: the limits are asked in the order of `Limits.reason`, and the first that is reached counts."""
    if not facts.workers:
        return _NOTHING
    known, limits, live = sorted(facts.types), facts.limits, facts.live
    if code == "unknown_type":
        return {"taskType": {"$nin": known}}
    if limits.total and live.total >= limits.total:
        return {"taskType": {"$in": known}} if code == "system_limit" else _NOTHING
    full_types = [name for name in known if limits.type_is_full(name, live)]
    if code == "type_limit":
        return {"taskType": {"$in": full_types}}
    types = {"taskType": {"$in": [name for name in known if name not in full_types]}}
    full_users = sorted(user for user, running in live.users.items() if limits.per_user and running >= limits.per_user)
    if code == "user_limit":
        return types | {"userId": {"$in": full_users}}
    users = {"userId": {"$nin": full_users}}
    full_resources = sorted(name for name, limit in limits.per_resource.items() if limit and live.resources[name] >= limit)
    if code == "provider_limited":
        return types | users | {"resource": {"$in": full_resources}}
    return types | users | {"resource": {"$nin": full_resources}} if code == "queued" else _NOTHING
