"""What an attempt writes, all fenced by its token: its ending, and on the way progress and a draft."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson

from tasks_app import states
from tasks_app.conf import MAX_ATTEMPT_RECORDS, MAX_RESULT_BYTES, MAX_RESULT_NESTING
from tasks_app.errors import PermanentFailure
from tasks_app.lifecycle.transition import Json, S, Transition, from_states, held_by
from tasks_app.outcomes import ErrorRecord


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
    size: int = 0,
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
    return Transition(name, held_by(task_id, record.token, status), update, task_id=task_id, token=record.token, size=size)


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


def complete(task_id: str, record: AttemptRecord, *, result: Json, progress: Json, expire_at: datetime | None, size: int = 0) -> Transition:
    """RUNNING -> COMPLETED: store the result; CANCELLING too, for the work had finished before the cancellation reached it.

    Args:
        size: Of the result in bytes, if it was counted.
    """
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
        from_states("complete"),
        changes,
        outcome="completed",
        unset=("errorInfo", "draft", "draftToken", "wait"),
        size=size,
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
    return _ending("fail", task_id, record, from_states("fail"), changes, outcome=outcome, error=error, unset=("wait",))


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
    return _ending("retry", task_id, record, from_states("retry"), changes, outcome=outcome, error=error)


def confirm_cancel(task_id: str, record: AttemptRecord, *, progress: Json, expire_at: datetime | None) -> Transition:
    """CANCELLING -> CANCELLED: the attempt has stopped."""
    changes = {"status": S.CANCELLED.value, "progress": progress, "crashCount": 0, **_end_time(record, expire_at)}
    return _ending("confirm_cancel", task_id, record, from_states("confirm_cancel"), changes, outcome="cancelled", unset=("wait",))


def release(task_id: str, record: AttemptRecord) -> Transition:
    """RUNNING -> QUEUED: the worker hands the task back at its shutdown, at no cost of an attempt."""
    changes = {"status": S.QUEUED.value, "attempt": record.attempt - 1, "availableAt": record.ended_at}
    return _ending("release", task_id, record, from_states("release"), changes, outcome="released")


def report_progress(task_id: str, token: str, progress: Json, now: datetime) -> Transition:
    """Store the latest progress of a running attempt."""
    held = held_by(task_id, token, {"$in": sorted(states.LEASED)})
    return Transition("progress", held, {"$set": {"progress": progress, "updatedAt": now}}, task_id=task_id, token=token)


def save_draft(task_id: str, token: str, draft: Json) -> Transition:
    """Store what was generated, before its effect: a later attempt that finds it calls no AI."""
    held = held_by(task_id, token, {"$in": sorted(states.LEASED)})
    return Transition("draft", held, {"$set": {"draft": draft, "draftToken": token}}, task_id=task_id, token=token)


def mark_applied(task_id: str, now: datetime, result: Json) -> Transition:
    """Record when a task's result was written into the novel; the first moment stays.

    Args:
        result: Fields of the result that the application decided (`applied`, `conflict`, `sceneVersion`); {} while the attempt still runs.
    """
    changes: Json = {"appliedAt": now, **{f"result.{name}": value for name, value in result.items()}}
    if result:
        changes["updatedAt"] = now
    return Transition("applied", {"_id": task_id, "appliedAt": None}, {"$set": changes}, task_id=task_id)


def await_children(task_id: str, record: AttemptRecord, *, total: int) -> Transition:
    """RUNNING, without a lease from here on: all children exist, and the parent ends when they have."""
    return Transition(
        "await_children",
        held_by(task_id, record.token, {"$in": sorted(states.LEASED)}),
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


def storable_document(make: Callable[[], Json], what: str) -> tuple[Json, int]:
    """Return a document that an executable wants stored, and its size in bytes.

    Args:
        make: Makes it, and may fail.
        what: `result` or `draft`.

    Raises:
        PermanentFailure: It cannot be stored or is nested too deeply (`bad_result`, `bad_draft`), or is too large (`result_too_large`, `draft_too_large`).
    """
    try:
        document = make()
        size = len(bson.encode(document))
    except (bson.errors.BSONError, OverflowError, ValueError, TypeError) as exc:
        raise PermanentFailure(f"The {what} cannot be stored ({type(exc).__name__}).", code=f"bad_{what}") from exc
    if size > MAX_RESULT_BYTES:
        raise PermanentFailure(f"The {what} has {size:,} bytes; {MAX_RESULT_BYTES:,} can be stored.", code=f"{what}_too_large", details={"bytes": size})
    if not _is_nested_within(document, MAX_RESULT_NESTING):
        raise PermanentFailure(f"The {what} is nested more than {MAX_RESULT_NESTING} levels deep.", code=f"bad_{what}")
    return document, size


def _is_nested_within(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return not inner or (levels > 0 and all(_is_nested_within(each, levels - 1) for each in inner))
