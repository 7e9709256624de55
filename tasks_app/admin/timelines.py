"""What has happened to a task, from the top down: created, waited, each attempt, what staff did, how it ended, and what it does now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from tasks_app.admin.audit import AuditLine
from tasks_app.admin.clocks import Clock, Tick
from tasks_app.admin.words import STATUS_WORDS, duration, outcome_word
from tasks_app.conf import MAX_ATTEMPT_RECORDS
from tasks_app.states import TaskStatus

Json = Mapping[str, Any]

# A gap that nobody would call waiting.
_MOMENT: Final = timedelta(milliseconds=50)
_LATER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        css: Names its colour: a status, an outcome of an attempt, `wait` or `staff`.
        at: When it began; None for one that lies between two others.
        code: Of an error.
        note: What else there is to say.
        clock: Of the last step, while it goes on.
    """

    css: str
    text: str
    at: datetime | None = None
    span: str = ""
    code: str = ""
    note: str = ""
    clock: Clock | None = None


def timeline(task: Json, clock: Clock, audit: Sequence[AuditLine]) -> list[Step]:
    """Return the steps of a task's life in their order.

    Args:
        audit: What staff did to it.
    """
    created = task["createdAt"]
    steps: list[tuple[datetime, int, Step]] = [(created, 0, Step("created", pgettext("step", "Created"), created))]
    attempts = sorted(task.get("attempts", []), key=lambda entry: entry["startedAt"])
    if len(attempts) == MAX_ATTEMPT_RECORDS:
        steps.append((attempts[0]["startedAt"], 1, Step("wait", _("Earlier attempts are not kept."))))
    last = created
    for number, entry in enumerate(attempts):
        began, ended = entry["startedAt"], entry["endedAt"]
        if (number or len(attempts) < MAX_ATTEMPT_RECORDS) and began - last > _MOMENT:
            steps.append((last, 2, Step("wait", _("waited %(span)s") % {"span": duration((began - last).total_seconds())})))
        steps.append((began, 3, _attempt(entry)))
        last = max(last, ended)
    steps += [(line.at, 4, _of_staff(line)) for line in audit if line.outcome != "refused"]
    if asked := task.get("cancelRequestedAt"):
        steps.append((asked, 5, Step("cancelling", _("Cancellation asked for"), asked)))
    if applied := task.get("appliedAt"):
        steps.append((applied, 5, Step("completed", _("Written into the novel"), applied)))
    present = _present(task, clock)
    steps.append((present.at or _LATER, 6, present))  # what a user applies is written into the novel after the end
    steps.sort(key=lambda step: step[:2])
    return [step for _at, _rank, step in steps]


def _attempt(entry: Json) -> Step:
    error = entry.get("error") or {}
    wait = error.get("retryAfter")
    return Step(
        f"outcome-{entry['outcome']}",
        _("Attempt %(number)s: %(outcome)s") % {"number": entry["attempt"], "outcome": outcome_word(entry["outcome"])},
        entry["startedAt"],
        span=duration((entry["endedAt"] - entry["startedAt"]).total_seconds()),
        code=error.get("code") or "",
        note=_("The server asked to wait %(span)s.") % {"span": duration(wait)} if isinstance(wait, int | float) else "",
    )


def _of_staff(line: AuditLine) -> Step:
    return Step("staff", _("%(who)s: %(action)s") % {"who": line.who, "action": line.action}, line.at, note=line.reason)


def _present(task: Json, clock: Clock) -> Step:
    status = TaskStatus(task["status"])
    css = status.lower().replace("_", "-")
    if status.is_terminal:
        ended = task.get("completedAt")
        span = duration((ended - task["createdAt"]).total_seconds()) if ended else ""
        return Step(css, _("Ended: %(status)s") % {"status": _word(status)}, ended, note=_("%(span)s after it was created") % {"span": span} if span else "")
    return Step(css, _word(status) if clock.tick is Tick.AGAIN else "", clock=clock)


def _word(status: TaskStatus) -> str:
    return str(STATUS_WORDS[status])
