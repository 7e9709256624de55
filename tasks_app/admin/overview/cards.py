"""The cards: seven numbers, each a way into the list of what it counts."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.admin.counting import Count
from tasks_app.admin.filters import ListState
from tasks_app.admin.overview.reading import OverviewRead
from tasks_app.admin.overview.spans import Spans
from tasks_app.admin.tabs import counted
from tasks_app.states import TaskStatus


@dataclass(frozen=True, slots=True)
class Card:
    """A number with its name.

    Attributes:
        css: Names its colour class and icon: a status's, or "".
        query: Lists what is counted; None where there is nothing to list.
        note: A line below.
        share: 0 to 100 for a bar below; None for none.
    """

    key: str
    name: str
    value: str
    query: str | None
    css: str = ""
    note: str = ""
    share: int | None = None


def cards(read: OverviewRead, spans: Spans) -> list[Card]:
    """Return the cards, in their order."""
    return [_queued(read), _oldest_wait(read, spans), _running(read), _retrying(read), _cancelling(read), _failed(read), _tokens(read)]


def listed(status: TaskStatus, *, type: str = "", created: str = "", waiting: str = "") -> str:
    """Return the query of a list of tasks in a status, with those of batches: what is counted here counts them, too."""
    return ListState(status=status.value, type=type, created=created, waiting=waiting, children="1").query_string()


def large(number: int) -> str:
    """Return a large number in three digits or so: 1,234 stays, 1,234,567 is "1.23 M"."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if number >= size:
            thousands = number / (1_000 if unit == "k" else size)
            return f"{thousands:.3g} {unit}"
    return f"{number:,}"


def _status_count(read: OverviewRead, status: TaskStatus) -> Count | None:
    return sum((count for (each, _lane), count in read.counts.items() if each is status), Count(0)) if read.counts else None


def _queued(read: OverviewRead) -> Card:
    return Card("queued", _("Queued"), counted(_status_count(read, TaskStatus.QUEUED)), listed(TaskStatus.QUEUED), "queued")


def _oldest_wait(read: OverviewRead, spans: Spans) -> Card:
    name = _("Oldest wait")
    if read.oldest is None:
        return Card("oldest", name, "–", None, note=_("nothing is queued"))
    waited = max((read.now - read.oldest.since).total_seconds(), 0.0)
    return Card("oldest", name, spans.short(waited), ListState(id=read.oldest.task_id).query_string(), note=_("for a worker"))


def _running(read: OverviewRead) -> Card:
    running, limit = read.facts.live.total, read.facts.limits.total
    slots = sum(worker.slots for worker in read.workers if worker.alive and not worker.draining)
    if limit:
        note = _("of %(limit)s, the system's limit") % {"limit": f"{limit:,}"}
    elif slots:
        note = ngettext("of %(slots)s slot", "of %(slots)s slots", slots) % {"slots": f"{slots:,}"}
    else:
        note = _("no worker is running")
    room = limit or slots
    share = min(round(100 * running / room), 100) if room else None
    return Card("running", _("Running"), f"{running:,}", listed(TaskStatus.RUNNING, waiting="no"), "running", note, share)


def _retrying(read: OverviewRead) -> Card:
    return Card("retrying", _("Retrying"), counted(_status_count(read, TaskStatus.RETRYING)), listed(TaskStatus.RETRYING), "retrying")


def _cancelling(read: OverviewRead) -> Card:
    return Card("cancelling", _("Cancelling"), counted(_status_count(read, TaskStatus.CANCELLING)), listed(TaskStatus.CANCELLING), "cancelling")


def _failed(read: OverviewRead) -> Card:
    failed = sum(each.failed for each in read.ended.day.values())
    judged = sum(each.judged for each in read.ended.day.values())
    note = _("%(share)s of what ended") % {"share": percent(failed, judged)} if judged else ""
    return Card("failed", _("Failed in 24 h"), counted(read.failed), listed(TaskStatus.FAILED, created="<24h"), "failed", note)


def _tokens(read: OverviewRead) -> Card:
    tokens = read.ended.today.tokens
    note = _("%(prompt)s in, %(completion)s out") % {"prompt": large(tokens["prompt"]), "completion": large(tokens["completion"])}
    return Card("tokens", _("Tokens today"), large(tokens.total()), ListState(created=read.now.date().isoformat(), children="1").query_string(), note=note)


def percent(part: int, whole: int) -> str:
    """Return a share with a digit after the point while it is small."""
    if not whole:
        return "–"
    share = 100 * part / whole
    return f"{share:.1f} %" if 0 < share < 10 else f"{share:.0f} %"
