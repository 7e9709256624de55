"""Reading what was counted (`tally`): by moment, by task type, by resource, over an hour, a day or a week."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase

from tasks_app.documents import PERIODS
from tasks_app.durations import quantile
from tasks_app.states import TaskStatus

Json = dict[str, Any]

FAILURES: Final = (TaskStatus.FAILED.value, TaskStatus.INTERRUPTED.value)


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time up to now, in periods of equal length.

    Attributes:
        span: Minutes of a period; one of `tally.SPANS`.
        count: How many periods.
    """

    name: str
    span: int
    count: int

    def start(self, now: datetime) -> datetime:
        """Return where the first period begins; the last one holds `now` and is not over yet."""
        return period_start(now, self.span) - timedelta(minutes=self.span * (self.count - 1))


RANGES: Final = {each.name: each for each in (Range("1h", 1, 60), Range("24h", 30, 48), Range("7d", 180, 56))}
HOUR, DAY, WEEK = RANGES.values()


def period_start(moment: datetime, span: int) -> datetime:
    """Return when the period of `span` minutes that holds a moment began."""
    minutes = int(moment.timestamp()) // 60
    return datetime.fromtimestamp(minutes // span * span * 60, moment.tzinfo)


@dataclass(slots=True)
class Sums:
    """What ended in some periods.

    Attributes:
        ended: Tasks by status.
        attempts: Attempts by outcome.
        errors: Attempts by error code.
        wait, run: Attempts by the bin of their wait for a worker, and of their duration; the bins' numbers as they are stored, as text.
        tokens: `prompt` and `completion`.
    """

    ended: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    wait: Counter[str] = field(default_factory=Counter)
    run: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)

    def add(self, period: Mapping[str, Any]) -> None:
        """Add a stored period; what was not read of it counts as none."""
        _merge(self.ended, period.get("ended"))
        _merge(self.attempts, period.get("attempts"))
        _merge(self.errors, period.get("errors"))
        _merge(self.wait, period.get("wait"))
        _merge(self.run, period.get("run"))
        _merge(self.tokens, period.get("tokens"))

    @property
    def failed(self) -> int:
        """Tasks that failed or were interrupted."""
        return sum(self.ended[status] for status in FAILURES)

    @property
    def judged(self) -> int:
        """Tasks whose end says something about the work: all but the cancelled."""
        return self.ended.total() - self.ended[TaskStatus.CANCELLED]

    def wait_quantile(self, q: float) -> float | None:
        """Estimate a quantile of the waits, in seconds; None when nothing was counted."""
        return _quantile(self.wait, q)

    def run_quantile(self, q: float) -> float | None:
        """Estimate a quantile of the durations, in seconds; None when nothing was counted."""
        return _quantile(self.run, q)


def _merge(counts: Counter[str], more: Mapping[str, int] | None) -> None:
    # A page adds up some 20,000 of these.
    if more:
        get = counts.get
        for key, count in more.items():
            counts[key] = get(key, 0) + count


def _quantile(counts: Mapping[str, int], q: float) -> float | None:
    return quantile({int(number): count for number, count in counts.items()}, q)


WHOLE: Final = {"_id": 0, "expireAt": 0, "span": 0}
WITHOUT_TIMES: Final = {**WHOLE, "wait": 0, "run": 0}


async def read(db: AsyncDatabase[Json], over: Range, now: datetime, fields: Mapping[str, int] = WHOLE) -> list[Json]:
    """Return the stored periods of a range, in no order.

    Args:
        fields: `WITHOUT_TIMES` leaves out what is large: waits and durations.
    """
    query = {"span": over.span, "start": {"$gte": over.start(now)}}
    return await db[PERIODS].find(query, fields, hint="span_start", batch_size=10_000).to_list(None)


@dataclass(slots=True)
class Digest:
    """A range's periods, summed in each way that is looked at, in one pass.

    Attributes:
        by_moment: One for each period of the range, the oldest first; of the chosen type, or of all.
        by_type: By task type.
        trends: By task type, tasks by status for each period of the range.
    """

    by_moment: list[Sums]
    by_type: dict[str, Sums]
    trends: dict[str, list[Counter[str]]]


def digest(periods: Iterable[Json], over: Range, now: datetime, *, task_type: str | None = None) -> Digest:
    """Sum a range's periods.

    Args:
        task_type: What `by_moment` is about; None for all types.
    """
    start, length = over.start(now), over.span * 60
    made = Digest([Sums() for _ in range(over.count)], {}, {})
    for period in periods:
        name = period["taskType"]
        if name not in made.by_type:
            made.by_type[name], made.trends[name] = Sums(), [Counter() for _ in range(over.count)]
        made.by_type[name].add(period)
        place = int((period["start"] - start).total_seconds()) // length
        if place < over.count:  # one that has begun since `now` was asked
            _merge(made.trends[name][place], period.get("ended"))
            if task_type in (None, name):
                made.by_moment[place].add(period)
    return made


def by_type(periods: Iterable[Json]) -> dict[str, Sums]:
    """Sum periods by task type."""
    return _by("taskType", periods)


def by_resource(periods: Iterable[Json], *, since: datetime | None = None) -> dict[str, Sums]:
    """Sum periods by resource; those without one are left out, and with `since` those that began before."""
    return _by("resource", (each for each in periods if each.get("resource") and (since is None or each["start"] >= since)))


def total(periods: Iterable[Json], *, since: datetime) -> Sums:
    """Sum the periods that began at a moment or later."""
    sums = Sums()
    for period in periods:
        if period["start"] >= since:
            sums.add(period)
    return sums


def _by(name: str, periods: Iterable[Json]) -> dict[str, Sums]:
    sums: dict[str, Sums] = {}
    for period in periods:
        sums.setdefault(period[name], Sums()).add(period)
    return sums
