"""What somebody asks for, and what time brings: cancellation, requeue, and the end of a delay."""

from tasks_app import states
from tasks_app.lifecycle.transition import NO_PROGRESS, Json, S, Transition, expiry, from_states


def promote() -> Transition:
    """RETRYING -> QUEUED for every task whose delay is over."""
    return Transition(
        "promote",
        {
            "status": from_states("promote"),
            "lease.owner": None,
            "$expr": {"$lte": ["$availableAt", "$$NOW"]},
        },
        [{"$set": {"status": S.QUEUED.value, "updatedAt": "$$NOW"}}, {"$unset": "wait"}],
        many=True,
    )


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
                    "expireAt": expiry(retention_seconds),
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
        extra: Further fields to set, as pipeline expressions (`generation` of a requeued child, `resource` and `maxAttempts` of edited parameters).
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
        cleared += ["draft", "draftToken"]
    return Transition("requeue", {**scope, "status": from_states("requeue")}, [{"$set": changes}, {"$unset": cleared}], many=True)
