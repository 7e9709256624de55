"""An action on many tasks as pages show it: its document in, plain data for the templates out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.admin import audit
from tasks_app.admin.words import StatusLook, duration, number, status_look, tasks_counted
from tasks_app.documents import BulkOutcome
from tasks_app.states import TaskStatus

PAGE: Final = "admin:tasks_app_backgroundtask_bulk"


@dataclass(frozen=True, slots=True)
class Shown:
    """An action as its page shows it."""

    action_id: str
    address: str
    word: str
    name: str
    username: str
    filter: str
    query: str
    reason: str
    state: str
    look: StatusLook
    expected: str
    seen: str
    changed: str
    unchanged: str
    percentage: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    took: str
    stopped_by: str
    error: str
    waits: str


def exactly(count: int, exact: bool) -> str:
    """Return a number; a question mark for one that could not be counted."""
    return number(count) if exact else audit.NOT_COUNTED


def in_words(count: int, exact: bool) -> str:
    """Return how many tasks an action is to be about, in words."""
    return tasks_counted(count) if exact else _("an unknown number of tasks")


def tasks_expected(document: Mapping[str, Any]) -> str:
    """Return how many tasks an action was to be about, in words."""
    return in_words(document["expected"], document["expectedExact"])


def shown(document: Mapping[str, Any], workers: int) -> Shown:
    """Return an action as it is shown.

    Args:
        workers: How many there are to do it.
    """
    seen, changed, expected = document["seen"], document["changed"], document["expected"]
    started, ended, outcome = document["startedAt"], document["endedAt"], document["outcome"]
    state, look = _state(document)
    done = outcome == BulkOutcome.DONE
    return Shown(
        action_id=document["_id"],
        address=reverse(PAGE, args=[document["_id"]]),
        word=audit.action_word(document["action"]),
        name=document["action"],
        username=document["username"],
        filter=document["filter"],
        query=document["query"],
        reason=document["reason"],
        state=state,
        look=look,
        expected=exactly(expected, document["expectedExact"]),
        seen=number(seen),
        changed=number(changed),
        unchanged=number(seen - changed) if seen > changed else "",
        percentage=100 if done else min(99, 100 * seen // max(expected, 1)) if document["expectedExact"] else 0,
        created_at=document["createdAt"],
        started_at=started,
        ended_at=ended,
        took=duration((ended - started).total_seconds()) if started and ended else "",
        stopped_by=document.get("stoppedBy") or "",
        error=document.get("error") or "",
        waits=_("No worker is running; it begins when one is started.") if outcome is None and not workers else "",
    )


def _state(document: Mapping[str, Any]) -> tuple[str, StatusLook]:
    match document["outcome"]:
        case BulkOutcome.DONE.value:
            return _("Done"), status_look(TaskStatus.COMPLETED)
        case BulkOutcome.STOPPED.value:
            return _("Stopped"), status_look(TaskStatus.CANCELLED)
        case BulkOutcome.FAILED.value:
            return _("Failed"), status_look(TaskStatus.FAILED)
    if document.get("stopRequestedAt"):
        return _("Stopping"), status_look(TaskStatus.CANCELLING)
    return (_("Working"), status_look(TaskStatus.RUNNING)) if document["startedAt"] else (_("Waiting for a worker"), status_look(TaskStatus.QUEUED))
