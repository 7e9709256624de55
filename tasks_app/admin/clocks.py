"""How long a task has been waiting, running, or ended: one line for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.admin.words import duration, waiting_words
from tasks_app.states import TaskStatus
from tasks_app.waiting import WaitingFacts, waiting_reason


@dataclass(frozen=True, slots=True)
class Clock:
    """What a task is doing: how long, and why (`why` is "" where there is no reason to give). `at` is the moment it counts from or to."""

    text: str
    why: str = ""
    at: datetime | None = None


def clock(task: Mapping[str, Any], facts: WaitingFacts, now: datetime) -> Clock:
    """Return what a task's clock shows."""
    status = TaskStatus(task["status"])
    reason = waiting_reason(dict(task), facts)
    why = waiting_words(reason)
    if status.is_terminal:
        ended = task.get("completedAt")
        return Clock(_("ended %(span)s ago") % {"span": _since(ended, now)}, at=ended)
    if reason and (until := reason.get("until")):
        if until <= now:
            return Clock(_("due now"), why, until)
        return Clock(_("again in %(span)s") % {"span": duration((until - now).total_seconds())}, why, until)
    match status:
        case TaskStatus.RUNNING:
            started = task.get("startedAt")
            return Clock(_("for %(span)s") % {"span": _since(started, now)}, why, started)
        case TaskStatus.CANCELLING:
            asked = task.get("cancelRequestedAt")
            return Clock(_("asked %(span)s ago") % {"span": _since(asked, now)}, why, asked)
        case _:
            due = task["availableAt"]
            return Clock(_("for %(span)s") % {"span": _since(due, now)}, why, due)


def _since(moment: datetime | None, now: datetime) -> str:
    return duration(int((now - moment).total_seconds())) if moment else "?"
