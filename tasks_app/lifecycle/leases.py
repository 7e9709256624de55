"""Taking tasks, keeping them, handing them back unrun, and taking them from workers that are lost."""

from collections.abc import Sequence

from tasks_app.conf import MAX_ATTEMPT_RECORDS, MAX_LOSSES
from tasks_app.documents import LEASED_STATUS
from tasks_app.lifecycle.transition import Json, S, Transition, after_now, expiry, from_states


def claim(task_ids: Sequence[str], *, owner: str, token: str, lease_seconds: float) -> Transition:
    """QUEUED -> RUNNING: take a group of tasks under one fresh token, which with a task's id fences everything this attempt writes."""
    return Transition("claim", {"_id": {"$in": list(task_ids)}, "status": from_states("claim")}, _taken(owner, token, lease_seconds), many=True)


def claim_first(scope: Json, *, owner: str, token: str, lease_seconds: float) -> Transition:
    """QUEUED -> RUNNING for the first due task of a scope, in the order in which it is executed (one find-and-update)."""
    due = {"status": from_states("claim"), **scope, "$expr": {"$lte": ["$availableAt", "$$NOW"]}}
    return Transition("claim", due, _taken(owner, token, lease_seconds))


def _taken(owner: str, token: str, lease_seconds: float) -> list[Json]:
    return [
        {
            "$set": {
                "status": S.RUNNING.value,
                "lease": {"owner": owner, "token": token, "expiresAt": after_now(lease_seconds)},
                "attempt": {"$add": ["$attempt", 1]},
                "startedAt": "$$NOW",
                "updatedAt": "$$NOW",
            }
        }
    ]


def renew(owner: str, tokens: Sequence[str], *, lease_seconds: float) -> Transition:
    """Extend the leases that this worker holds, also those that ran out while nobody else took the task."""
    return Transition(
        "renew",
        {"status": LEASED_STATUS, "lease.owner": owner, "lease.token": {"$in": list(tokens)}},
        [{"$set": {"lease.expiresAt": after_now(lease_seconds)}}],
        many=True,
    )


def expire_leases_of(owner: str) -> Transition:
    """End the leases of a worker that is known to be dead, so that the next sweep recovers its tasks."""
    return Transition(
        "expire",
        {"status": LEASED_STATUS, "lease.owner": owner},
        [{"$set": {"lease.expiresAt": after_now(-1.0)}}],
        many=True,
    )


def hand_back(task_ids: Sequence[str], token: str, *, delay_seconds: float) -> Transition:
    """RUNNING -> QUEUED before the executable's first line: no attempt, no trace, a short delay (the claim went over a limit)."""
    return Transition(
        "release",
        {"_id": {"$in": list(task_ids)}, "status": from_states("release"), "lease.token": token},
        [
            {
                "$set": {
                    "status": S.QUEUED.value,
                    "attempt": {"$subtract": ["$attempt", 1]},
                    "availableAt": after_now(delay_seconds),
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
        "cancel_unrun",
        {"_id": {"$in": list(task_ids)}, "status": from_states("cancel_unrun"), "lease.token": token},
        [
            {
                "$set": {
                    "status": S.CANCELLED.value,
                    "attempt": {"$subtract": ["$attempt", 1]},
                    "cancelRequestedAt": {"$ifNull": ["$cancelRequestedAt", "$$NOW"]},
                    "completedAt": "$$NOW",
                    "updatedAt": "$$NOW",
                    # Its parent may have ended before it, and would then give it none.
                    "expireAt": after_now(retention_seconds),
                }
            },
            {"$unset": ["lease", "wait"]},
        ],
        many=True,
    )


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
    return Transition(
        "recover",
        {
            **scope,
            "status": from_states("recover"),
            # Without $exists a missing lease sorts below every date, and parents awaiting their children would be recovered.
            "lease.expiresAt": {"$exists": True},
            "$expr": {"$lt": ["$lease.expiresAt", after_now(-expired_for_seconds)]},
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
                    "attempts": _with_lost_attempt(cancelling),
                    "errorInfo": {"$cond": [cancelling, {"$ifNull": ["$errorInfo", "$$REMOVE"]}, _lost_error(losses)]},
                    "availableAt": {"$cond": [ended, "$availableAt", "$$NOW"]},
                    "completedAt": {"$cond": [ended, "$$NOW", None]},
                    "expireAt": {"$cond": [ended, expiry(retention_seconds), "$$REMOVE"]},
                    "updatedAt": "$$NOW",
                }
            },
            {"$unset": ["lease", "wait"]},
        ],
        many=True,
    )


def _lost_error(losses: Json) -> Json:
    return {
        "code": "worker_lost",
        "message": "The worker that ran this task was lost.",
        "details": {"losses": losses},
        "retryable": True,
        "retryCount": {"$max": [{"$subtract": ["$attempt", 1]}, 0]},
    }


def _with_lost_attempt(cancelling: Json) -> Json:
    """Return the expression for `attempts` with that of the lost worker."""
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
    return {"$slice": [{"$concatArrays": [{"$ifNull": ["$attempts", []]}, [entry]]}, -MAX_ATTEMPT_RECORDS]}
