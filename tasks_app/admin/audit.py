"""Who did what to which task: one line of Django's admin log for each task of an action.

The line is written before the action, and its outcome after it. So there is no action without a line: one whose outcome is missing was cut off (MongoDB
went away), and may or may not have been executed. An action on all tasks that match has one line here; the tasks that it came to carry its id.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils.translation import gettext as _

from ainoval.accounts.models import User
from ainoval.logs import get_logger
from tasks_app.admin.actions import ACTIONS, EDIT, Action, Outcome
from tasks_app.models import BackgroundTask

SHOWN: Final = 50
REASON_MAX_LENGTH: Final = 300
NOT_COUNTED: Final = "?"
"""In the place of how many tasks match, where counting them would have taken too long."""

log = get_logger(__name__)


def begin(
    user: User, action: str, task_ids: Sequence[str], *, reason: str, task_types: dict[str, str], filtered: str = "", override: bool = False
) -> list[LogEntry]:
    """Record that a user asks for an action.

    Args:
        action: Its name.
        task_ids: All tasks of the action; each gets a line that tells how many they were.
        reason: What the user gave as reason, or "".
        task_types: By task id.
        filtered: What the list they were selected from was filtered by.
        override: Whether what would refuse it is to be overridden.
    """
    content_type = ContentType.objects.get_for_model(BackgroundTask)
    message = {"action": action, "outcome": "asked", "selected": len(task_ids), "reason": reason[:REASON_MAX_LENGTH], "filter": filtered[:REASON_MAX_LENGTH]}
    message |= {"override": True} if override else {}
    entries = [
        LogEntry(
            user=user,
            content_type=content_type,
            object_id=task_id,
            object_repr=f"{task_types.get(task_id, '')} {task_id}".strip()[:200],
            action_flag=CHANGE,
            change_message=json.dumps(message, ensure_ascii=False),
        )
        for task_id in task_ids
    ]
    return LogEntry.objects.bulk_create(entries)


def finish(entries: Sequence[LogEntry], outcomes: Sequence[Outcome], *, removes: bool = False) -> None:
    """Record what became of each task."""
    for entry, outcome in zip(entries, outcomes, strict=True):
        message = json.loads(entry.change_message) | {"outcome": "done" if outcome.code is None else "refused", "code": outcome.code}
        entry.change_message = json.dumps(message, ensure_ascii=False)
        if removes and outcome.code is None:
            entry.action_flag = DELETION
        log.info("console_action", action=message["action"], task_id=outcome.task_id, staff_id=str(entry.user_id), refused=outcome.code)
    LogEntry.objects.bulk_update(entries, ["change_message", "action_flag"])


def record_bulk(user: User, action: Action, action_id: str, *, expected: str, filtered: str, reason: str) -> LogEntry:
    """Record that a user asks for an action on all tasks that match; what becomes of it is in the action itself."""
    message = {"action": action.name, "outcome": "asked", "selected": expected, "filter": filtered, "reason": reason}
    return LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(BackgroundTask),
        object_id=action_id,
        object_repr=f"{action.name}: {expected}"[:200],
        action_flag=CHANGE,
        change_message=json.dumps(message, ensure_ascii=False),
    )


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of a task's audit trail.

    Attributes:
        outcome: `done`, `refused`, `asked` (cut off: it may or may not have been executed), or `bulk` (the task was among those of an action on many).
        address: Of that action.
        override: Whether it was told to overwrite what would have refused it.
    """

    at: datetime
    who: str
    action: str
    outcome: str
    code: str
    selected: int | str
    reason: str
    filtered: str = ""
    address: str = ""
    override: bool = False


def trail(task_id: str, bulk: Sequence[Mapping[str, Any]] = ()) -> list[AuditLine]:
    """Return what staff did to a task, the newest first.

    Args:
        bulk: The actions on many that came to it.
    """
    # NUL: PostgreSQL refuses it even in a comparison, and the id may be any.
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(BackgroundTask), object_id=task_id.replace("\0", ""))
    lines = [_line(entry) for entry in entries.select_related("user").order_by("-action_time", "-pk")[:SHOWN]]
    return sorted(lines + [_bulk_line(action) for action in bulk], key=lambda line: line.at, reverse=True)


def _line(entry: LogEntry) -> AuditLine:
    message = _message(entry.change_message)
    selected = message.get("selected", 1)
    return AuditLine(
        at=entry.action_time,
        who=entry.user.get_username(),
        action=action_word(str(message.get("action", ""))),
        outcome="bulk" if isinstance(selected, str) else str(message.get("outcome", "done")),  # in words: see record_bulk
        code=str(message.get("code") or ""),
        selected=selected,
        reason=str(message.get("reason", "")),
        filtered=str(message.get("filter", "")),
        override=message.get("override") is True,
    )


def _bulk_line(action: Mapping[str, Any]) -> AuditLine:
    return AuditLine(
        at=action["startedAt"] or action["createdAt"],
        who=action["username"],
        action=action_word(action["action"]),
        outcome="bulk",
        code="",
        selected=action["expected"] if action["expectedExact"] else NOT_COUNTED,
        reason=action["reason"],
        filtered=action["filter"],
        address=reverse("admin:tasks_app_backgroundtask_bulk", args=[action["_id"]]),
    )


def action_word(name: str) -> str:
    """Return an action in words."""
    if name == EDIT:
        return _("Requeue with other parameters")
    return str(ACTIONS[name].word) if name in ACTIONS else name


def _message(stored: str) -> dict[str, Any]:
    try:
        message = json.loads(stored)
    except ValueError:
        message = stored
    return message if isinstance(message, dict) else {"action": stored}  # the latter was not written by us
