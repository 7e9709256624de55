"""Who did what to which task: one line of Django's admin log for each task of an action.

The line is written before the action, and its outcome after it. So there is no action without a line: one whose outcome is missing was cut off (MongoDB
went away), and may or may not have been executed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType

from ainoval.accounts.models import User
from ainoval.logs import get_logger
from tasks_app.admin.actions import ACTIONS, Action, Outcome
from tasks_app.models import BackgroundTask

SHOWN: Final = 50
REASON_MAX_LENGTH: Final = 300

log = get_logger(__name__)


def begin(user: User, action: Action, task_ids: Sequence[str], *, reason: str, task_types: dict[str, str]) -> list[LogEntry]:
    """Record that a user asks for an action.

    Args:
        task_ids: All tasks of the action; each gets a line that tells how many they were.
        reason: What the user gave as reason, or "".
        task_types: By task id.
    """
    content_type = ContentType.objects.get_for_model(BackgroundTask)
    message = {"action": action.name, "outcome": "asked", "selected": len(task_ids), "reason": reason[:REASON_MAX_LENGTH]}
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


def finish(entries: Sequence[LogEntry], action: Action, outcomes: Sequence[Outcome]) -> None:
    """Record what became of each task."""
    for entry, outcome in zip(entries, outcomes, strict=True):
        message = json.loads(entry.change_message) | {"outcome": "done" if outcome.code is None else "refused", "code": outcome.code}
        entry.change_message = json.dumps(message, ensure_ascii=False)
        if action.removes and outcome.code is None:
            entry.action_flag = DELETION
        log.info("console_action", action=action.name, task_id=outcome.task_id, staff_id=str(entry.user_id), refused=outcome.code)
    LogEntry.objects.bulk_update(entries, ["change_message", "action_flag"])


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of a task's audit trail. `outcome` is `done`, `refused` or `asked`."""

    at: datetime
    who: str
    action: str
    outcome: str
    code: str
    selected: int
    reason: str


def trail(task_id: str) -> list[AuditLine]:
    """Return what staff did to a task, the newest first."""
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(BackgroundTask), object_id=task_id)
    return [_line(entry) for entry in entries.select_related("user").order_by("-action_time", "-pk")[:SHOWN]]


def _line(entry: LogEntry) -> AuditLine:
    message = _message(entry.change_message)
    name = str(message.get("action", ""))
    return AuditLine(
        at=entry.action_time,
        who=entry.user.get_username(),
        action=str(ACTIONS[name].word) if name in ACTIONS else name,
        outcome=str(message.get("outcome", "done")),
        code=str(message.get("code") or ""),
        selected=int(message.get("selected", 1)),
        reason=str(message.get("reason", "")),
    )


def _message(stored: str) -> dict[str, Any]:
    try:
        message = json.loads(stored)
    except ValueError:
        message = stored
    return message if isinstance(message, dict) else {"action": stored}  # the latter was not written by us
