"""What the console calls things, in the reader's language. A state has a word, an icon and a colour: never a colour alone."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from tasks_app.states import TaskStatus

STATUS_WORDS: dict[TaskStatus, Promise] = {
    TaskStatus.QUEUED: gettext_lazy("Queued"),
    TaskStatus.RUNNING: gettext_lazy("Running"),
    TaskStatus.RETRYING: gettext_lazy("Retrying"),
    TaskStatus.CANCELLING: gettext_lazy("Cancelling"),
    TaskStatus.COMPLETED: gettext_lazy("Completed"),
    TaskStatus.COMPLETED_WITH_ERRORS: gettext_lazy("Completed with errors"),
    TaskStatus.FAILED: gettext_lazy("Failed"),
    TaskStatus.CANCELLED: gettext_lazy("Cancelled"),
    TaskStatus.INTERRUPTED: gettext_lazy("Interrupted"),
}


@dataclass(frozen=True, slots=True)
class StatusLook:
    """A status as it is shown; `css` names its colour class and its icon."""

    value: str
    word: str
    css: str


def status_look(status: str) -> StatusLook:
    """Return how a status is shown."""
    return StatusLook(status, str(STATUS_WORDS[TaskStatus(status)]), status.lower().replace("_", "-"))


# Translators' list of the names below: a new task type is shown in its own words until it has an entry here.
gettext_noop("Generate summary")
gettext_noop("Generate scene")
gettext_noop("Batch generate summary")
gettext_noop("Batch generate scene")


def type_word(task_type: str) -> str:
    """Return a task type in words: GENERATE_SUMMARY is "Generate summary"."""
    return _(task_type.replace("_", " ").capitalize())


_WAITING: dict[str, Promise] = {
    "queued": gettext_lazy("Next in line for a free worker."),
    "system_limit": gettext_lazy("As many tasks are running as the system allows."),
    "type_limit": gettext_lazy("As many tasks of this type are running as are allowed at once."),
    "user_limit": gettext_lazy("As many tasks of this user are running as are allowed at once."),
    "provider_limited": gettext_lazy("The AI provider takes no more at the moment."),
    "backoff": gettext_lazy("The last attempt failed; the next one begins after a pause."),
    "awaiting_children": gettext_lazy("Waiting for the tasks of this batch to end."),
    "no_worker": gettext_lazy("No worker is running; the task begins when one is started."),
    "unknown_type": gettext_lazy("No running worker knows this task type."),
}


def waiting_words(reason: dict[str, Any] | None) -> str:
    """Return why a task waits; a reason that has no words here speaks for itself."""
    if reason is None:
        return ""
    return str(_WAITING.get(reason["code"], reason["message"]))


_OUTCOMES: dict[str, Promise] = {
    "completed": gettext_lazy("completed"),
    "retry": gettext_lazy("failed, tried again"),
    "failed": gettext_lazy("failed"),
    "cancelled": gettext_lazy("cancelled"),
    "timeout": gettext_lazy("took too long"),
    "lost": gettext_lazy("worker lost"),
    "released": gettext_lazy("handed back at shutdown"),
}


def outcome_word(outcome: str) -> str:
    """Return how an attempt ended, in words."""
    return str(_OUTCOMES.get(outcome, outcome))


def duration(seconds: float) -> str:
    """Return a span of time with its two largest units: "2 h 10 min"."""
    seconds = max(seconds, 0.0)
    if seconds < 10 and seconds != int(seconds):
        return _("%(seconds).1f s") % {"seconds": seconds}
    whole = int(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hour}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minute}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": second}
    return _("%(seconds)d s") % {"seconds": second}


def tasks_counted(count: int) -> str:
    """Return "1 task" or "12 tasks"."""
    return ngettext("%(count)d task", "%(count)d tasks", count) % {"count": count}
