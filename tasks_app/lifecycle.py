"""Every change of a task's status, as a value: a filter that states the precondition and an update that changes all that belongs together.

Nobody else writes `status`. A transition is described here once, purely, and executed by whoever needs it: alone (`execute`), or merged with hundreds of
others into one bulk write (the worker's outbox). One that matches nothing lost a race, and has changed nothing.

Two clocks: leases, recovery and everything an edge asks for use the server's (`$$NOW`); the endings that a worker sends in bulk carry `now` as a value,
which the worker estimates from the server's clock, because plain operators cost MongoDB less than a pipeline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateMany, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import states
from tasks_app.conf import MAX_ATTEMPT_RECORDS, MAX_LOSSES
from tasks_app.documents import TASKS
from tasks_app.outcomes import ErrorRecord
from tasks_app.states import TaskStatus

Json = dict[str, Any]

S = TaskStatus
NO_PROGRESS: Json = {"percentage": 0, "message": None, "current": None, "total": None}


@dataclass(frozen=True, slots=True)
class Transition:
    """One conditional change.

    Attributes:
        name: As in `states.TRANSITIONS`, or the name of a fenced write that keeps the status (`progress`, `draft`, …).
        many: Whether it may change several tasks.
        task_id, token: Of a write by an attempt: the bulk that carries it is read back by them.
    """

    name: str
    filter: Json
    update: Json | list[Json]
    many: bool = False
    task_id: str = ""
    token: str = ""

    def operation(self) -> UpdateOne | UpdateMany:
        """Return the transition as one operation of a bulk write."""
        return UpdateMany(self.filter, self.update) if self.many else UpdateOne(self.filter, self.update)


async def execute(db: AsyncDatabase[Json], transition: Transition) -> int:
    """Execute one transition alone; return how many tasks it changed."""
    tasks = db[TASKS]
    update = tasks.update_many if transition.many else tasks.update_one
    return (await update(transition.filter, transition.update)).matched_count


def _from(*names: str) -> Json:
    statuses = sorted({status.value for name in names for status in states.starts_from(name)})
    return {"$in": statuses} if len(statuses) > 1 else statuses[0]  # type: ignore[return-value]


def _held(task_id: str, token: str, status: Any) -> Json:
    return {"_id": task_id, "status": status, "lease.token": token}


def _milliseconds(duration: timedelta | float) -> int:
    return round((duration.total_seconds() if isinstance(duration, timedelta) else duration) * 1000)


def _after_now(duration: timedelta | float) -> Json:
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": _milliseconds(duration)}}


# --- claims and leases ---


def claim(task_ids: Sequence[str], *, owner: str, token: str, lease_seconds: float) -> Transition:
    """QUEUED -> RUNNING: take a group of tasks under one fresh token, which with a task's id fences everything this attempt writes."""
    return Transition(
        "claim",
        {"_id": {"$in": list(task_ids)}, "status": _from("claim")},
        [
            {
                "$set": {
                    "status": S.RUNNING.value,
                    "lease": {"owner": owner, "token": token, "expiresAt": _after_now(lease_seconds)},
                    "attempt": {"$add": ["$attempt", 1]},
                    "startedAt": "$$NOW",
                    "updatedAt": "$$NOW",
                }
            }
        ],
        many=True,
    )


def renew(owner: str, tokens: Sequence[str], *, lease_seconds: float) -> Transition:
    """Extend the leases that this worker holds, also those that ran out while nobody else took the task."""
    return Transition(
        "renew",
        {"status": {"$in": sorted(states.LEASED)}, "lease.owner": owner, "lease.token": {"$in": list(tokens)}},
        [{"$set": {"lease.expiresAt": _after_now(lease_seconds)}}],
        many=True,
    )


def expire_leases_of(owner: str) -> Transition:
    """End the leases of a worker that is known to be dead, so that the next sweep recovers its tasks."""
    return Transition(
        "expire",
        {"status": {"$in": sorted(states.LEASED)}, "lease.owner": owner},
        [{"$set": {"lease.expiresAt": _after_now(-1.0)}}],
        many=True,
    )


# --- endings of an attempt, all fenced by its token ---


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What is kept of an attempt in `attempts[]`."""

    attempt: int
    token: str
    started_at: datetime
    ended_at: datetime
    worker: str
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def stored(self, outcome: str, error: ErrorRecord | None = None) -> Json:
        """Return the entry as it is stored."""
        entry: Json = {
            "attempt": self.attempt,
            "token": self.token,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "outcome": outcome,
            "worker": self.worker,
        }
        if error is not None:
            entry["error"] = {"code": error.code, "message": error.message, "traceback": error.traceback}
            if error.retry_after is not None:
                entry["error"]["retryAfter"] = error.retry_after
        if self.prompt_tokens or self.completion_tokens:
            entry["usage"] = {"promptTokens": self.prompt_tokens, "completionTokens": self.completion_tokens}
        return entry


def _ending(
    name: str,
    task_id: str,
    record: AttemptRecord,
    status: Any,
    changes: Json,
    *,
    outcome: str,
    error: ErrorRecord | None = None,
    unset: Iterable[str] = (),
) -> Transition:
    update: Json = {
        "$set": {"updatedAt": record.ended_at, **changes},
        "$unset": dict.fromkeys(("lease", *unset), ""),
        "$push": {"attempts": {"$each": [record.stored(outcome, error)], "$slice": -MAX_ATTEMPT_RECORDS}},
    }
    if record.prompt_tokens or record.completion_tokens:
        # Not idempotent by itself; the token makes it so: with the lease gone, a repeat matches nothing.
        update["$inc"] = {
            "usage.promptTokens": record.prompt_tokens,
            "usage.completionTokens": record.completion_tokens,
        }
    return Transition(name, _held(task_id, record.token, status), update, task_id=task_id, token=record.token)


def _end_time(record: AttemptRecord, expire_at: datetime | None) -> Json:
    return {"completedAt": record.ended_at} | ({"expireAt": expire_at} if expire_at else {})


def error_info(error: ErrorRecord, *, attempt: int) -> Json:
    """Return `errorInfo` as the API shows it; `retryCount` is the attempts before this one."""
    return {
        "code": error.code,
        "message": error.message,
        "details": error.details,
        "retryable": error.retryable,
        "retryCount": max(attempt - 1, 0),
    }


def complete(task_id: str, record: AttemptRecord, *, result: Json, progress: Json, expire_at: datetime | None) -> Transition:
    """RUNNING -> COMPLETED: store the result; CANCELLING too, for the work had finished before the cancellation reached it."""
    changes = {
        "status": S.COMPLETED.value,
        "result": result,
        "progress": progress | {"percentage": 100},
        "crashCount": 0,
        **_end_time(record, expire_at),
    }
    return _ending(
        "complete",
        task_id,
        record,
        _from("complete"),
        changes,
        outcome="completed",
        unset=("errorInfo", "draft", "wait"),
    )


def fail(
    task_id: str,
    record: AttemptRecord,
    error: ErrorRecord,
    *,
    progress: Json,
    expire_at: datetime | None,
    outcome: str = "failed",
) -> Transition:
    """RUNNING -> FAILED: store the error."""
    changes = {
        "status": S.FAILED.value,
        "errorInfo": error_info(error, attempt=record.attempt),
        "progress": progress,
        "crashCount": 0,
        **_end_time(record, expire_at),
    }
    return _ending("fail", task_id, record, _from("fail"), changes, outcome=outcome, error=error, unset=("wait",))


def retry(
    task_id: str,
    record: AttemptRecord,
    error: ErrorRecord,
    *,
    progress: Json,
    available_at: datetime,
    waited_seconds: float,
    burns_attempt: bool,
    outcome: str = "retry",
) -> Transition:
    """RUNNING -> RETRYING: try again at `available_at`; a wait that is somebody else's wish hands the attempt back."""
    changes = {
        "status": S.RETRYING.value,
        "errorInfo": error_info(error, attempt=record.attempt),
        "progress": progress,
        "crashCount": 0,
        "availableAt": available_at,
        "attempt": record.attempt if burns_attempt else record.attempt - 1,
        "waitedSeconds": waited_seconds,
        "wait": {"code": "provider_limited" if error.code == "rate_limited" else "backoff", "message": error.message},
    }
    return _ending("retry", task_id, record, _from("retry"), changes, outcome=outcome, error=error)


def confirm_cancel(task_id: str, record: AttemptRecord, *, progress: Json, expire_at: datetime | None) -> Transition:
    """CANCELLING -> CANCELLED: the attempt has stopped."""
    changes = {"status": S.CANCELLED.value, "progress": progress, "crashCount": 0, **_end_time(record, expire_at)}
    return _ending("confirm_cancel", task_id, record, _from("confirm_cancel"), changes, outcome="cancelled", unset=("wait",))


def release(task_id: str, record: AttemptRecord) -> Transition:
    """RUNNING -> QUEUED: the worker hands the task back at its shutdown, at no cost of an attempt."""
    changes = {"status": S.QUEUED.value, "attempt": record.attempt - 1, "availableAt": record.ended_at}
    return _ending("release", task_id, record, _from("release"), changes, outcome="released")


def hand_back(task_ids: Sequence[str], token: str, *, delay_seconds: float) -> Transition:
    """RUNNING -> QUEUED before the executable's first line: no attempt, no trace, a short delay (the claim went over a limit)."""
    return Transition(
        "release",
        {"_id": {"$in": list(task_ids)}, "status": _from("release"), "lease.token": token},
        [
            {
                "$set": {
                    "status": S.QUEUED.value,
                    "attempt": {"$subtract": ["$attempt", 1]},
                    "availableAt": _after_now(delay_seconds),
                    "updatedAt": "$$NOW",
                }
            },
            {"$unset": "lease"},
        ],
        many=True,
    )


def cancel_unrun(task_ids: Sequence[str], token: str, *, retention_seconds: float) -> Transition:
    """RUNNING or CANCELLING -> CANCELLED for claimed children whose parent is being cancelled or has ended: their work is not begun."""
    return Transition(
        "confirm_cancel",
        {"_id": {"$in": list(task_ids)}, "status": {"$in": sorted(states.LEASED)}, "lease.token": token},
        [
            {
                "$set": {
                    "status": S.CANCELLED.value,
                    "attempt": {"$subtract": ["$attempt", 1]},
                    "cancelRequestedAt": {"$ifNull": ["$cancelRequestedAt", "$$NOW"]},
                    "completedAt": "$$NOW",
                    "updatedAt": "$$NOW",
                    # Its parent may have ended before it, and would then give it none.
                    "expireAt": _after_now(retention_seconds),
                }
            },
            {"$unset": ["lease", "wait"]},
        ],
        many=True,
    )


# --- fenced writes that keep the status ---


def report_progress(task_id: str, token: str, progress: Json, now: datetime) -> Transition:
    """Store the latest progress of a running attempt."""
    held = _held(task_id, token, {"$in": sorted(states.LEASED)})
    return Transition("progress", held, {"$set": {"progress": progress, "updatedAt": now}}, task_id=task_id, token=token)


def save_draft(task_id: str, token: str, draft: Json) -> Transition:
    """Store what was generated, before its effect: a later attempt that finds it calls no AI."""
    held = _held(task_id, token, {"$in": sorted(states.LEASED)})
    return Transition("draft", held, {"$set": {"draft": draft | {"token": token}}}, task_id=task_id, token=token)


def mark_applied(task_id: str, now: datetime, result: Json) -> Transition:
    """Record when a task's result was written into the novel; the first moment stays.

    Args:
        result: Fields of the result that the application decided (`applied`, `conflict`, `sceneVersion`); {} while the attempt still runs.
    """
    changes: Json = {"appliedAt": now, **{f"result.{name}": value for name, value in result.items()}}
    return Transition("applied", {"_id": task_id, "appliedAt": None}, {"$set": changes}, task_id=task_id)


# --- parents and children ---


def await_children(task_id: str, record: AttemptRecord, *, total: int) -> Transition:
    """RUNNING, without a lease from here on: all children exist, and the parent ends when they have."""
    return Transition(
        "await_children",
        _held(task_id, record.token, {"$in": sorted(states.LEASED)}),
        {
            "$set": {
                "children": {"total": total, "token": record.token},
                "progress": {"percentage": 0, "message": None, "current": 0, "total": total},
                "crashCount": 0,
                "updatedAt": record.ended_at,
            },
            "$unset": {"lease": ""},
        },
        task_id=task_id,
        token=record.token,
    )


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


# --- waiting ---


def promote() -> Transition:
    """RETRYING -> QUEUED for every task whose delay is over."""
    return Transition(
        "promote",
        {
            "status": _from("promote"),
            "lease.owner": None,
            "$expr": {"$lte": ["$availableAt", "$$NOW"]},
        },
        [{"$set": {"status": S.QUEUED.value, "updatedAt": "$$NOW"}}, {"$unset": "wait"}],
        many=True,
    )


# --- cancellation, requeue, recovery ---


def _expiry(retention_seconds: float) -> Json:
    # A child is kept as long as its parent: the parent's end gives it its `expireAt`.
    return {"$cond": [{"$eq": [{"$ifNull": ["$parentId", None]}, None]}, _after_now(retention_seconds), "$$REMOVE"]}


def cancel_waiting(scope: Json, *, retention_seconds: float) -> Transition:
    """QUEUED or RETRYING -> CANCELLED, at once.

    Args:
        scope: Which tasks: `{"_id": …}`, with `userId` where a user asks, or `{"parentId": …}`.
    """
    return Transition(
        "cancel",
        {**scope, "status": {"$in": sorted(states.WAITING)}},
        [
            {
                "$set": {
                    "status": S.CANCELLED.value,
                    "cancelRequestedAt": "$$NOW",
                    "completedAt": "$$NOW",
                    "updatedAt": "$$NOW",
                    "expireAt": _expiry(retention_seconds),
                }
            },
            {"$unset": "wait"},
        ],
        many=True,
    )


def request_cancel(scope: Json) -> Transition:
    """RUNNING -> CANCELLING: the worker that holds it, or the sweep of parents, ends it."""
    return Transition(
        "cancel",
        {**scope, "status": S.RUNNING.value},
        [{"$set": {"status": S.CANCELLING.value, "cancelRequestedAt": "$$NOW", "updatedAt": "$$NOW"}}],
        many=True,
    )


def requeue(
    scope: Json,
    *,
    fair_key: float,
    priority: int | None = None,
    parameters: Json | None = None,
    extra: Json | None = None,
) -> Transition:
    """FAILED, INTERRUPTED, CANCELLED or COMPLETED_WITH_ERRORS -> QUEUED, as if new: attempts are counted afresh, their history stays.

    Args:
        scope: Which tasks.
        parameters: Edited ones (validated by the caller), which make a stored draft worthless; None keeps both.
        extra: More conditions' outcome to store (`generation` of a requeued child, `resource`, `maxAttempts` of edited parameters).
    """
    cleared = ["result", "errorInfo", "expireAt", "cancelRequestedAt", "children", "lease", "wait"]
    changes: Json = {
        "status": S.QUEUED.value,
        "attempt": 0,
        "crashCount": 0,
        "waitedSeconds": 0.0,
        "completedAt": None,
        "progress": {"$literal": NO_PROGRESS},
        "availableAt": "$$NOW",
        "updatedAt": "$$NOW",
        "fairKey": fair_key,
        "generation": {"$add": [{"$ifNull": ["$generation", 0]}, 1]},
        **(extra or {}),
    }
    if priority is not None:
        changes["priority"] = priority
    if parameters is not None:
        changes["parameters"] = {"$literal": parameters}
        cleared.append("draft")
    return Transition("requeue", {**scope, "status": _from("requeue")}, [{"$set": changes}, {"$unset": cleared}], many=True)


def recover(
    scope: Json,
    *,
    run_once_types: Sequence[str],
    retention_seconds: float,
    mark_failed: bool = False,
    expired_for_seconds: float = 0.0,
) -> Transition:
    """Take tasks from workers that are lost: RUNNING with an expired lease -> QUEUED, or INTERRUPTED at the third loss; CANCELLING -> CANCELLED.

    The condition is the whole truth: it is judged by the server, inside the update, whatever a sweep read before.

    Args:
        scope: Which tasks; {} for all.
        run_once_types: Types that must not run again after a lost worker: INTERRUPTED at the first loss.
        mark_failed: End them FAILED instead of running them again (an operator's choice).
        expired_for_seconds: Only leases that ran out at least that long ago.
    """
    losses = {"$add": ["$crashCount", 1]}
    cancelling = {"$eq": ["$status", S.CANCELLING.value]}
    interrupted = {"$or": [{"$gte": [losses, MAX_LOSSES]}, {"$in": ["$taskType", {"$literal": list(run_once_types)}]}]}
    ended = {"$or": [cancelling, mark_failed, interrupted]}
    lost_error = {
        "code": "worker_lost",
        "message": "The worker that ran this task was lost.",
        "details": {"losses": losses},
        "retryable": True,
        "retryCount": {"$max": [{"$subtract": ["$attempt", 1]}, 0]},
    }
    entry = {
        "attempt": "$attempt",
        "token": "$lease.token",
        "startedAt": "$startedAt",
        "endedAt": "$$NOW",
        "worker": "$lease.owner",
        "outcome": {"$cond": [cancelling, "cancelled", "lost"]},
        "error": {
            "$cond": [
                cancelling,
                "$$REMOVE",
                {"code": "worker_lost", "message": "The worker that ran this task was lost."},
            ]
        },
    }
    history = {"$slice": [{"$concatArrays": [{"$ifNull": ["$attempts", []]}, [entry]]}, -MAX_ATTEMPT_RECORDS]}
    return Transition(
        "recover",
        {
            **scope,
            "status": _from("recover"),
            # Without $exists a missing lease sorts below every date, and parents awaiting their children would be recovered.
            "lease.expiresAt": {"$exists": True},
            "$expr": {"$lt": ["$lease.expiresAt", _after_now(-expired_for_seconds)]},
        },
        [
            {
                "$set": {
                    "status": {
                        "$switch": {
                            "branches": [
                                {"case": cancelling, "then": S.CANCELLED.value},
                                {"case": mark_failed, "then": S.FAILED.value},
                                {"case": interrupted, "then": S.INTERRUPTED.value},
                            ],
                            "default": S.QUEUED.value,
                        }
                    },
                    "crashCount": {"$cond": [cancelling, "$crashCount", losses]},
                    "attempt": {"$cond": [ended, "$attempt", {"$subtract": ["$attempt", 1]}]},
                    "attempts": history,
                    "errorInfo": {"$cond": [cancelling, {"$ifNull": ["$errorInfo", "$$REMOVE"]}, lost_error]},
                    "availableAt": {"$cond": [ended, "$availableAt", "$$NOW"]},
                    "completedAt": {"$cond": [ended, "$$NOW", None]},
                    "expireAt": {"$cond": [ended, _expiry(retention_seconds), "$$REMOVE"]},
                    "updatedAt": "$$NOW",
                }
            },
            {"$unset": ["lease", "wait"]},
        ],
        many=True,
    )
