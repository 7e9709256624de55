"""A task as its own page shows it: documents in, plain data for the template out. Manuscript text is masked here, before any template sees it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext as _

from ainoval.accounts.models import User
from tasks_app.admin.actions import ACTIONS, Action
from tasks_app.admin.masking import masked
from tasks_app.admin.reading import MAX_CELLS, TaskRead
from tasks_app.admin.rows import Row, row
from tasks_app.admin.words import StatusLook, duration, outcome_word, status_look
from tasks_app.states import TaskStatus

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Button:
    """An action in the header; `refusal` tells why it is disabled, "" when it is not."""

    action: Action
    refusal: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of the history."""

    number: int
    outcome: str
    word: str
    started_at: datetime
    took: str
    code: str
    message: str
    traceback: str
    prompt_tokens: int
    completion_tokens: int
    worker: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A child in the grid."""

    task_id: str
    status: StatusLook
    title: str


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many children are in one state."""

    status: StatusLook
    count: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs the task now."""

    worker: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Error:
    """Why the task failed, or what the last attempt met."""

    code: str
    message: str
    details: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Details:
    """All that the task page shows.

    Attributes:
        panel: The template that says what the status means for this task.
        position: In the order of claims; "" when the task is not queued.
        parameters, result, draft: JSON, masked where the reader may not see text; "" for none.
        times: Moments with their names, in order.
        spare_cells: How many children the grid leaves out.
    """

    row: Row
    panel: str
    position: str
    buttons: list[Button]
    error: Error | None
    lease: Lease | None
    attempts: list[Attempt]
    parameters: str
    result: str
    draft: str
    masked: bool
    times: list[tuple[str, datetime]]
    took: str
    priority: int
    losses: int
    prompt_tokens: int
    completion_tokens: int
    cells: list[Cell]
    spare_cells: int
    child_counts: list[StatusCount]
    applied_at: datetime | None
    conflict: bool


def details(read: TaskRead, user: User | AnonymousUser, *, names: Mapping[str, str], now: datetime, shows_text: bool) -> Details:
    """Return a task as its page shows it to this user.

    Args:
        names: Usernames by id.
        shows_text: Whether the user may read manuscript text.
    """
    task = read.task
    usage = task.get("usage") or {}
    lease = task.get("lease")
    result = task.get("result")

    def shown(value: Any) -> str:
        return readable(value if shows_text else masked(value)) if value is not None else ""

    return Details(
        row=row(task, read.facts, subject=read.subject, names=names, now=now),
        panel=f"admin/tasks_app/backgroundtask/status/{task['status'].lower()}.html",
        position=_position(read.position),
        buttons=[Button(action, action.refusal(task) or "") for action in ACTIONS.values() if action.allowed(user)],
        error=_error(task.get("errorInfo")),
        lease=Lease(lease["owner"], lease["expiresAt"]) if lease else None,
        attempts=[_attempt(entry) for entry in reversed(task.get("attempts", []))],
        parameters=shown(task.get("parameters", {})),
        result=shown(result),
        draft=shown(_without_token(task.get("draft"))),
        masked=not shows_text,
        times=_times(task),
        took=_took(task),
        priority=task["priority"],
        losses=task.get("crashCount", 0),
        prompt_tokens=usage.get("promptTokens", 0),
        completion_tokens=usage.get("completionTokens", 0),
        cells=[_cell(number, cell, read) for number, cell in enumerate(read.cells, start=1)],
        spare_cells=max((read.children.total if read.children else 0) - MAX_CELLS, 0),
        child_counts=_child_counts(read),
        applied_at=task.get("appliedAt"),
        conflict=bool((result or {}).get("conflict")),
    )


def readable(value: Any) -> str:
    """Return stored JSON as text for people; what JSON has no word for is shown as text."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _without_token(draft: Json | None) -> Json | None:
    return {key: value for key, value in draft.items() if key != "token"} if draft else None


def _position(position: int | None) -> str:
    if position is None:
        return ""
    return _("Place %(place)s in the queue.") % {"place": f"{position:,}" if position < 1_000 else "1,000+"}


def _times(task: Json) -> list[tuple[str, datetime]]:
    named = (
        (_("Created"), task["createdAt"]),
        (_("Last attempt began"), task.get("startedAt")),
        (_("Cancellation asked"), task.get("cancelRequestedAt")),
        (_("Ended"), task.get("completedAt")),
        (_("Applied to the novel"), task.get("appliedAt")),
        (_("Last changed"), task["updatedAt"]),
        (_("Kept until"), task.get("expireAt")),
    )
    return [(name, moment) for name, moment in named if moment]


def _took(task: Json) -> str:
    started, ended = task.get("startedAt"), task.get("completedAt")
    return duration((ended - started).total_seconds()) if started and ended else ""


def _error(stored: Json | None) -> Error | None:
    if not stored:
        return None
    extras = stored.get("details") or {}
    return Error(stored.get("code") or "", stored.get("message") or "", readable(extras) if extras else "", bool(stored.get("retryable")))


def _attempt(entry: Json) -> Attempt:
    error, usage = entry.get("error") or {}, entry.get("usage") or {}
    started, ended = entry["startedAt"], entry["endedAt"]
    return Attempt(
        number=entry["attempt"],
        outcome=entry["outcome"],
        word=outcome_word(entry["outcome"]),
        started_at=started,
        took=duration((ended - started).total_seconds()),
        code=error.get("code") or "",
        message=error.get("message") or "",
        traceback=error.get("traceback") or "",
        prompt_tokens=usage.get("promptTokens", 0),
        completion_tokens=usage.get("completionTokens", 0),
        worker=entry.get("worker") or "",
    )


def _cell(number: int, task: Json, read: TaskRead) -> Cell:
    look = status_look(task["status"])
    subject = read.cell_subjects.get(task["_id"])
    code = (task.get("errorInfo") or {}).get("code")
    title = f"{number}. {subject.label if subject else task['_id']}: {look.word}"
    return Cell(task["_id"], look, f"{title} ({code})" if code else title)


def _child_counts(read: TaskRead) -> list[StatusCount]:
    by_status = read.children.by_status if read.children else {}
    return [StatusCount(status_look(status), by_status[status]) for status in TaskStatus if by_status.get(status)]
