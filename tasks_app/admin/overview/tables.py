"""The tables: task types, reasons to wait, workers, AI providers, errors; and what is so wrong that it is said at the top."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app import registry
from tasks_app.admin.filters import ListState
from tasks_app.admin.overview import graphs
from tasks_app.admin.overview.cards import listed, percent
from tasks_app.admin.overview.graphs import Layer
from tasks_app.admin.overview.reading import OverviewRead
from tasks_app.admin.overview.spans import Spans
from tasks_app.admin.tabs import COUNTING
from tasks_app.admin.words import duration, error_word, type_word, waiting_words
from tasks_app.health import FailingType, Provider, ProviderState, provider
from tasks_app.periods import Range, Sums
from tasks_app.states import TaskStatus

SHOWN_ERRORS = 8


@dataclass(frozen=True, slots=True)
class Failing:
    """A task type that has begun to fail."""

    word: str
    share: str
    counts: str
    before: str
    code: str
    query: str


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A task type: what waits, runs and ended. Queries list what is counted."""

    name: str
    word: str
    failing: bool
    queued: str
    queued_query: str
    running: str
    running_query: str
    ended: str
    ended_query: str
    failed: str
    failed_share: str
    failed_query: str
    wait: tuple[str, str]
    run: tuple[str, str]
    trend: list[Layer]
    charts_query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """A reason to wait, and how many tasks have it."""

    code: str
    text: str
    count: str
    query: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker process; `state` is `working`, `draining` or `silent`."""

    name: str
    host: str
    pid: int
    state: str
    word: str
    running: int
    slots: int
    age: str


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """An AI profile; `state` is a `ProviderState`."""

    name: str
    provider: str
    state: str
    word: str
    until: datetime | None
    running: str
    faults: str
    code: str
    query: str


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """An error code, what it means, and in which types it occurred most."""

    code: str
    text: str
    count: str
    type: str
    query: str


def failing(types: Iterable[FailingType]) -> list[Failing]:
    """Return what has begun to fail, as the page says it."""
    return [_failing(each) for each in types]


def _failing(each: FailingType) -> Failing:
    return Failing(
        word=type_word(each.task_type),
        share=percent(each.failed, each.ended),
        counts=_("%(failed)s of %(ended)s") % {"failed": f"{each.failed:,}", "ended": f"{each.ended:,}"},
        before=_("%(share)s in the day before") % {"share": percent(round(each.before * 1_000_000), 1_000_000)} if each.before is not None else "",
        code=each.code,
        query=listed(TaskStatus.FAILED, type=each.task_type, created="<1h"),
    )


def types(read: OverviewRead, over: Range, chosen_type: str, bad: Iterable[FailingType], spans: Spans) -> list[TypeRow]:
    """Return a row for each task type that is known here, or occurs.

    Args:
        bad: Those that have begun to fail.
    """
    ended = read.ended.chosen.by_type
    queued = read.waits.queued_by_type if read.waits else None
    running = read.facts.live.types
    names = sorted({*(each.task_type for each in registry.all_types()), *ended, *(queued or ()), *running})
    failing_names = {each.task_type for each in bad}
    created = created_within(over)
    rows = []
    for name in names:
        sums = ended.get(name, Sums())
        rows.append(
            TypeRow(
                name=name,
                word=type_word(name),
                failing=name in failing_names,
                queued=COUNTING if queued is None else f"{queued[name]:,}",
                queued_query=listed(TaskStatus.QUEUED, type=name),
                running=f"{running[name]:,}",
                running_query=listed(TaskStatus.RUNNING, type=name, waiting="no"),
                ended=f"{sums.ended.total():,}",
                ended_query=ListState(type=name, created=created, children="1").query_string(),
                failed=f"{sums.failed:,}" if sums.failed else "",
                failed_share=percent(sums.failed, sums.judged),
                failed_query=listed(TaskStatus.FAILED, type=name, created=created),
                wait=(spans.short(sums.wait_quantile(0.5)), spans.short(sums.wait_quantile(0.95))),
                run=(spans.short(sums.run_quantile(0.5)), spans.short(sums.run_quantile(0.95))),
                trend=graphs.trend(read.ended.chosen.trends.get(name, ())),
                charts_query=f"range={over.name}" if name == chosen_type else f"range={over.name}&type={name}",
                chosen=name == chosen_type,
            )
        )
    return rows


def created_within(over: Range) -> str:
    """Return the list's filter for tasks created within a range: "<24h"."""
    return f"<{over.name}"


def reasons(read: OverviewRead) -> list[ReasonRow] | None:
    """Return the reasons to wait that occur, the most frequent first; None while they are not known."""
    if read.waits is None:
        return None
    return [
        ReasonRow(code, waiting_words({"code": code, "message": code}), f"{count:,}", ListState(waiting=code, children="1").query_string())
        for code, count in read.waits.by_reason.most_common()
    ]


_WORKER_WORDS = {
    "working": gettext_lazy("working"),
    "draining": gettext_lazy("draining"),
    "silent": gettext_lazy("silent"),
}


def workers(read: OverviewRead) -> list[WorkerRow]:
    """Return the workers that reported within a day: those that work first, the silent last."""
    rows = []
    for worker in read.workers:
        state = "silent" if not worker.alive else "draining" if worker.draining else "working"
        age = duration(int(worker.heartbeat_age_seconds))
        rows.append(WorkerRow(worker.name, worker.host, worker.pid, state, str(_WORKER_WORDS[state]), worker.running, worker.slots, age))
    order = list(_WORKER_WORDS)
    return sorted(rows, key=lambda row: (order.index(row.state), row.host, row.pid))


_PROVIDER_WORDS = {
    ProviderState.OK: gettext_lazy("ok"),
    ProviderState.LIMITED: gettext_lazy("limited"),
    ProviderState.FAILING: gettext_lazy("failing"),
    ProviderState.UNUSED: gettext_lazy("not used lately"),
}


def providers(read: OverviewRead, profiles: Mapping[str, str]) -> list[ProviderRow]:
    """Return how each AI profile does.

    Args:
        profiles: What each is: provider and model, by name.
    """
    until = read.waits.limited_until if read.waits else {}
    rows = []
    for name, what in profiles.items():
        resource = f"ai:{name}"
        ends = until.get(resource)
        each = provider(name, read.ended.profiles.get(resource, Sums()), ends if ends and ends > read.now else None)
        limit = read.facts.limits.per_resource.get(resource, 0)
        running = read.facts.live.resources[resource]
        rows.append(_provider_row(each, what, f"{running:,} / {limit:,}" if limit else f"{running:,}"))
    return rows


def _provider_row(each: Provider, what: str, running: str) -> ProviderRow:
    return ProviderRow(
        name=each.name,
        provider=what,
        state=each.state.value,
        word=str(_PROVIDER_WORDS[each.state]),
        until=each.until,
        running=running,
        faults=_("%(share)s of %(attempts)s attempts") % {"share": percent(each.faults, each.attempts), "attempts": f"{each.attempts:,}"}
        if each.attempts
        else "–",
        code=each.code,
        query=ListState(error=each.code, created="<1h", children="1").query_string() if each.code else "",
    )


def errors(read: OverviewRead, over: Range, chosen_type: str) -> list[ErrorRow]:
    """Return the most frequent errors of attempts in the range; of one type, where one was chosen."""
    counted: Counter[str] = Counter()
    where: dict[str, Counter[str]] = {}
    for name, sums in read.ended.chosen.by_type.items():
        if chosen_type in ("", name):
            counted += sums.errors
            for code, count in sums.errors.items():
                where.setdefault(code, Counter())[name] += count
    return [
        ErrorRow(
            code=code,
            text=error_word(code),
            count=f"{count:,}",
            type=type_word(where[code].most_common(1)[0][0]),
            query=ListState(error=code, type=chosen_type, created=created_within(over), children="1").query_string(),
        )
        for code, count in counted.most_common(SHOWN_ERRORS)
    ]
