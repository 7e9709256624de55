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


RANGES: Final = {each.name: each for each in (Range("1h", 1, 60), Range("24h", 15, 96), Range("7d", 120, 84))}
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
        wait, run: Attempts by the bin of their wait for a worker, and of their duration.
        tokens: `prompt` and `completion`.
    """

    ended: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    wait: Counter[int] = field(default_factory=Counter)
    run: Counter[int] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)

    def add(self, period: Mapping[str, Any]) -> None:
        """Add a stored period."""
        for name, counts in (("ended", self.ended), ("attempts", self.attempts), ("errors", self.errors), ("tokens", self.tokens)):
            for key, count in period.get(name, {}).items():
                counts[key] += count
        for name, bins in (("wait", self.wait), ("run", self.run)):
            for key, count in period.get(name, {}).items():
                bins[int(key)] += count

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
        return quantile(self.wait, q)

    def run_quantile(self, q: float) -> float | None:
        """Estimate a quantile of the durations, in seconds; None when nothing was counted."""
        return quantile(self.run, q)


async def read(db: AsyncDatabase[Json], over: Range, now: datetime) -> list[Json]:
    """Return the stored periods of a range, in no order."""
    query = {"span": over.span, "start": {"$gte": over.start(now)}}
    return await db[PERIODS].find(query, {"_id": 0, "expireAt": 0, "span": 0}, hint="span_start", batch_size=10_000).to_list(None)


def by_moment(periods: Iterable[Json], over: Range, now: datetime, *, task_type: str | None = None) -> list[Sums]:
    """Sum periods by their place in the range, the oldest first; of one task type, or of all."""
    start, length = over.start(now), over.span * 60
    sums = [Sums() for _ in range(over.count)]
    for period in periods:
        place = int((period["start"] - start).total_seconds()) // length
        if place < over.count and task_type in (None, period["taskType"]):
            sums[place].add(period)
    return sums


def by_type(periods: Iterable[Json], *, since: datetime | None = None) -> dict[str, Sums]:
    """Sum periods by task type; with `since` only those that began then or later."""
    return _by("taskType", periods, since)


def by_resource(periods: Iterable[Json], *, since: datetime | None = None) -> dict[str, Sums]:
    """Sum periods by resource; those without one are left out."""
    return _by("resource", (period for period in periods if period.get("resource")), since)


def _by(name: str, periods: Iterable[Json], since: datetime | None) -> dict[str, Sums]:
    sums: dict[str, Sums] = {}
    for period in periods:
        if since is None or period["start"] >= since:
            sums.setdefault(period[name], Sums()).add(period)
    return sums
