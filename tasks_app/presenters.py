"""A task as the outside sees it: documents in, plain values in the API's shapes out. Both the API and the console show these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tasks_app.families import ChildCounts
from tasks_app.waiting import WaitingFacts, waiting_facts, waiting_reason

Json = dict[str, Any]

__all__ = ["WaitingFacts", "details", "summary", "waiting_facts"]

_PROGRESS = ("percentage", "message", "current", "total")


def instant(value: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC with milliseconds and a Z."""
    return None if value is None else value.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def summary(task: Mapping[str, Any], facts: WaitingFacts) -> Json:
    """Return a task as lists show it."""
    reason = waiting_reason(dict(task), facts)
    if reason and "until" in reason:
        reason = reason | {"until": instant(reason["until"])}
    progress = task.get("progress") or {}
    return {
        "taskId": task["_id"],
        "taskType": task["taskType"],
        "status": task["status"],
        "progress": {name: progress.get(name) for name in _PROGRESS} | {"percentage": progress.get("percentage") or 0},
        "waitingReason": reason,
        "parentId": task.get("parentId"),
        "attempt": task["attempt"],
        "maxAttempts": task["maxAttempts"],
        "createdAt": instant(task["createdAt"]),
        "updatedAt": instant(task["updatedAt"]),
        "startedAt": instant(task.get("startedAt")),
        "completedAt": instant(task.get("completedAt")),
    }


def details(task: Mapping[str, Any], facts: WaitingFacts, children: ChildCounts | None = None, position: int | None = None) -> Json:
    """Return a task with all that its owner may know.

    Args:
        children: Of a batch, counted.
        position: Of a queued task, in the order of claims.
    """
    shown = summary(task, facts)
    if position is not None and shown["waitingReason"]:
        shown["waitingReason"]["position"] = position
    return shown | {
        "parameters": task.get("parameters", {}),
        "result": task.get("result"),
        "errorInfo": _error_info(task.get("errorInfo")),
        "attempts": [_attempt(entry) for entry in task.get("attempts", [])],
        "children": {"total": children.total, "byStatus": children.by_status} if children else None,
        "usage": _usage(task.get("usage")),
        "appliedAt": instant(task.get("appliedAt")),
        "availableAt": instant(task["availableAt"]),
        "cancelRequestedAt": instant(task.get("cancelRequestedAt")),
        "priority": task["priority"],
    }


def _error_info(error: Mapping[str, Any] | None) -> Json | None:
    if error is None:
        return None
    return {name: error.get(name) for name in ("code", "message", "details", "retryable", "retryCount")}


def _attempt(entry: Mapping[str, Any]) -> Json:
    error = entry.get("error")
    return {
        "attempt": entry["attempt"],
        "startedAt": instant(entry["startedAt"]),
        "endedAt": instant(entry["endedAt"]),
        "outcome": entry["outcome"],
        "error": {"code": error["code"], "message": error["message"]} if error else None,
        "usage": _usage(entry.get("usage")),
    }


def _usage(usage: Mapping[str, int] | None) -> Json | None:
    return {name: usage.get(name, 0) for name in ("promptTokens", "completionTokens")} if usage else None
