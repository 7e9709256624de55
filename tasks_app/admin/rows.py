"""A task as the list shows it: documents in, plain data for the template out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks_app.admin.clocks import Clock, clock
from tasks_app.admin.subjects import Subject
from tasks_app.admin.words import StatusLook, status_look, type_word
from tasks_app.waiting import WaitingFacts

MESSAGE_MAX_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task has come; `counted` is "3 / 12" or ""."""

    percentage: int
    counted: str
    message: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a task is; `name` is "" when the user was deleted."""

    user_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    task_id: str
    status: StatusLook
    type_name: str
    type_word: str
    subject: Subject | None
    owner: Owner
    progress: Progress
    attempt: int
    max_attempts: int
    clock: Clock
    created_at: datetime
    parent_id: str | None
    error_code: str


def row(task: Mapping[str, Any], facts: WaitingFacts, *, subject: Subject | None, names: Mapping[str, str], now: datetime) -> Row:
    """Return a task as a line of the list."""
    return Row(
        task_id=task["_id"],
        status=status_look(task["status"]),
        type_name=task["taskType"],
        type_word=type_word(task["taskType"]),
        subject=subject,
        owner=owner(task, names),
        progress=progress(task),
        attempt=task["attempt"],
        max_attempts=task["maxAttempts"],
        clock=clock(task, facts, now),
        created_at=task["createdAt"],
        parent_id=task.get("parentId"),
        error_code=(task.get("errorInfo") or {}).get("code") or "",
    )


def owner(task: Mapping[str, Any], names: Mapping[str, str]) -> Owner:
    """Return whose a task is."""
    return Owner(task["userId"], names.get(task["userId"], ""))


def progress(task: Mapping[str, Any]) -> Progress:
    """Return how far a task has come."""
    stored = task.get("progress") or {}
    current, total = stored.get("current"), stored.get("total")
    message = stored.get("message") or ""
    return Progress(
        percentage=stored.get("percentage") or 0,
        counted="" if current is None or total is None else f"{current} / {total}",
        message=message if len(message) <= MESSAGE_MAX_LENGTH else f"{message[:MESSAGE_MAX_LENGTH]}…",
    )
