"""Parents that await their children: RUNNING or CANCELLING, without a lease."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tasks_app import states
from tasks_app.conf import MAX_ATTEMPT_RECORDS
from tasks_app.lifecycle.endings import AttemptRecord, error_info
from tasks_app.lifecycle.transition import Json, S, Transition
from tasks_app.outcomes import ErrorRecord
from tasks_app.states import TaskStatus


def _awaiting(parent_id: str, generation: int, status: Any) -> Json:
    # The generation: counts taken before a requeue must not end the parent's next life.
    return {
        "_id": parent_id,
        "status": status,
        "lease": {"$exists": False},
        "children.total": {"$exists": True},
        "generation": generation,
    }


def roll_up(parent_id: str, generation: int, *, current: int, total: int, now: datetime) -> Transition:
    """Store how many children have ended; changes nothing when that is known already."""
    progress = {
        "percentage": 100 * current // total if total else 100,
        "message": None,
        "current": current,
        "total": total,
    }
    held = _awaiting(parent_id, generation, {"$in": sorted(states.LEASED)}) | {"progress.current": {"$ne": current}}
    return Transition("roll_up", held, {"$set": {"progress": progress, "updatedAt": now}})


def finish_parent(
    parent: Mapping[str, Any],
    *,
    status: TaskStatus,
    total: int,
    now: datetime,
    expire_at: datetime,
    result: Json | None,
    error: ErrorRecord | None = None,
) -> Transition:
    """RUNNING -> COMPLETED, COMPLETED_WITH_ERRORS or FAILED; CANCELLING -> CANCELLED: all children have ended."""
    name = {S.CANCELLED: "confirm_cancel", S.FAILED: "fail"}.get(status, "complete")
    source = S.CANCELLING if status is S.CANCELLED else S.RUNNING
    record = AttemptRecord(parent["attempt"], parent["children"]["token"], parent["startedAt"], now, "")
    outcome = {S.CANCELLED: "cancelled", S.FAILED: "failed"}.get(status, "completed")
    changes: Json = {
        "status": status.value,
        "completedAt": now,
        "updatedAt": now,
        "expireAt": expire_at,
        "progress": {"percentage": 100, "message": None, "current": total, "total": total},
    }
    if result is not None:
        changes["result"] = result
    if error is not None:
        changes["errorInfo"] = error_info(error, attempt=record.attempt)
    return Transition(
        name,
        _awaiting(parent["_id"], parent.get("generation", 0), source.value),
        {
            "$set": changes,
            **({} if error is not None else {"$unset": {"errorInfo": ""}}),  # of an attempt to plant that went wrong
            "$push": {"attempts": {"$each": [record.stored(outcome, error)], "$slice": -MAX_ATTEMPT_RECORDS}},
        },
    )


def keep_children_until(parent_id: str, expire_at: datetime) -> Transition:
    """Give a parent's ended children their end of retention, later than the parent's own."""
    ended = {"$in": sorted(states.TERMINAL)}
    return Transition("retention", {"parentId": parent_id, "status": ended}, {"$set": {"expireAt": expire_at}}, many=True)


def keep_children(parent_id: str) -> Transition:
    """Take the end of retention from a requeued parent's children."""
    ended = {"$in": sorted(states.TERMINAL)}
    return Transition("retention", {"parentId": parent_id, "status": ended}, {"$unset": {"expireAt": ""}}, many=True)
