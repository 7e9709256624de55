"""What the console calls things, in the reader's language. A state has a word, an icon and a colour: never a colour alone."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise, lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext

from tasks_app.states import TaskStatus

STATUS_WORDS: dict[TaskStatus, Promise] = {
    TaskStatus.QUEUED: gettext_lazy("Queued"),
    TaskStatus.RUNNING: gettext_lazy("Running"),
    TaskStatus.RETRYING: gettext_lazy("Retrying"),
    TaskStatus.CANCELLING: gettext_lazy("Cancelling"),
    TaskStatus.COMPLETED: gettext_lazy("Completed"),
    TaskStatus.COMPLETED_WITH_ERRORS: gettext_lazy("Partly failed"),
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
    "queued": gettext_lazy("In the queue for a free worker."),
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


ERROR_WORDS: dict[str, Promise] = {
    "rate_limited": gettext_lazy("The AI server asked to wait."),
    "provider_unavailable": gettext_lazy("The AI server reported an error of its own."),
    "timeout": gettext_lazy("What the work waited for did not answer in time."),
    "stalled": gettext_lazy("The AI server stopped in the middle of its answer."),
    "connection": gettext_lazy("The AI server could not be reached, or the connection broke."),
    "bad_response": gettext_lazy("The AI server sent something that cannot be read."),
    "insufficient_quota": gettext_lazy("The AI account has no quota left."),
    "invalid_request": gettext_lazy("The AI server refused the request."),
    "authentication": gettext_lazy("The AI server did not accept the key."),
    "permission": gettext_lazy("The key may not use this model."),
    "model_not_found": gettext_lazy("The AI server does not know the model."),
    "content_filtered": gettext_lazy("The AI's content filter refused the text."),
    "context_too_long": gettext_lazy("The text is too long for the model."),
    "truncated": gettext_lazy("The AI's answer was cut off."),
    "empty_text": gettext_lazy("There is no text to work on, or the AI returned none."),
    "unknown_ai_config": gettext_lazy("There is no AI profile of this name."),
    "attempt_timeout": gettext_lazy("The attempt took longer than its type allows."),
    "unexpected_error": gettext_lazy("The code raised an error that it does not handle: see the traceback."),
    "worker_lost": gettext_lazy("The worker that ran it was lost."),
    "all_children_failed": gettext_lazy("All tasks of the batch failed."),
    "database_unavailable": gettext_lazy("The database could not be reached."),
    "result_too_large": gettext_lazy("The result is too large to be stored."),
    "bad_result": gettext_lazy("The code returned something that cannot be stored."),
    "invalid_parameters": gettext_lazy("The stored parameters do not fit this version of the task type."),
    "scene_not_found": gettext_lazy("The scene does not exist any more."),
    "novel_not_found": gettext_lazy("The novel does not exist any more."),
    "chapter_not_found": gettext_lazy("The chapter does not exist any more."),
}


def error_word(code: str) -> str:
    """Return what an error code means, in words of our own; "" for one that has none here (a task type may raise its own)."""
    return str(ERROR_WORDS.get(code, ""))


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


SPANS: dict[str, Promise] = {
    "days": gettext_lazy("%(days)d d %(hours)d h"),
    "hours": gettext_lazy("%(hours)d h %(minutes)d min"),
    "minutes": gettext_lazy("%(minutes)d min %(seconds)d s"),
    "seconds": gettext_lazy("%(seconds)d s"),
}
"""A span of time by its largest unit; the page's script uses the same texts."""


def duration(seconds: float) -> str:
    """Return a span of time with its two largest units: "2 h 10 min"."""
    seconds = max(seconds, 0.0)
    if seconds < 10 and seconds != int(seconds):
        return _("%(seconds).1f s") % {"seconds": seconds}
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    largest = "days" if days else "hours" if hours else "minutes" if minutes else "seconds"
    return str(SPANS[largest] % {"days": days, "hours": hour, "minutes": minute, "seconds": second})


def number(value: object) -> str:
    """Return a number with its thousands marked; what is none is shown as it is."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def later(text: str, **values: object) -> Promise:
    """Return a text that is put into the reader's language when it is shown: for coroutines, whose loop knows no reader.

    Args:
        text: Marked by `gettext_noop`, with `%(name)s` for each value.
    """
    shown: Promise = lazy(lambda: _(text) % values, str)()  # type: ignore[assignment]
    return shown


def tasks_counted(count: int) -> str:
    """Return "1 task" or "12 tasks"."""
    return ngettext("%(count)d task", "%(count)d tasks", count) % {"count": count}
