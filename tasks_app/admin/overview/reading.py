"""All that the overview reads from MongoDB, at once."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ainoval import mongo
from tasks_app import periods, search, waits
from tasks_app.admin import counting
from tasks_app.admin.counting import Count, Place
from tasks_app.health import PROVIDER_MINUTES
from tasks_app.overview import Worker, reported_workers
from tasks_app.periods import DAY, HOUR, Digest, Range, Sums
from tasks_app.search import Position
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus
from tasks_app.waiting import WaitingFacts, waiting_facts
from tasks_app.waits import Waits

Json = dict[str, Any]

# The oldest wait is looked for among so many of the queued that were created first: a few, and many where those were sent back to the queue.
OLDEST_LOOKED_AT: Final = (10, 500)
ENDED_AGE_SECONDS: Final = 2.0
MAX_KNOWN: Final = 50
PATIENCE_ROUNDS: Final = 3
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OldestWait:
    """The queued task that could have begun first."""

    task_id: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended, as it was counted at a moment.

    Attributes:
        hour, day: By type, in the last hour and in the last day.
        today: Since midnight (UTC).
        profiles: By resource, in the last PROVIDER_MINUTES.
        chosen: In the range that the charts show.
    """

    at: datetime
    hour: dict[str, Sums]
    day: dict[str, Sums]
    today: Sums
    profiles: dict[str, Sums]
    chosen: Digest


@dataclass(frozen=True, slots=True)
class OverviewRead:
    """The system at a moment.

    Attributes:
        counts: Of all tasks, by status and lane; {} while they are not known.
        failed: FAILED tasks of those created in the last 24 hours; None while that is not known.
        waits: None while they are not known.
    """

    now: datetime
    facts: WaitingFacts
    counts: dict[Place, Count]
    failed: Count | None
    waits: Waits | None
    oldest: OldestWait | None
    workers: list[Worker]
    ended: Ended


async def read_overview(over: Range, task_type: str | None) -> OverviewRead:
    """Read everything, each from an index.

    Args:
        over, task_type: What the charts show; None for all types.
    """
    db = mongo.database()
    now = datetime.now(UTC)
    facts = await waiting_facts()
    (counts, failed), (waiting, oldest, workers), ended = await asyncio.gather(
        asyncio.gather(_counts(Selection()), _counts(Selection(created_after=_grid(now) - timedelta(hours=24)))),
        asyncio.gather(waits.known(db, facts), _oldest(), reported_workers(db, now)),
        _ended(over, task_type, now),
    )
    return OverviewRead(
        now=now,
        facts=facts,
        counts=counts,
        failed=sum((count for (status, _lane), count in failed.items() if status is TaskStatus.FAILED), Count(0)) if failed else None,
        waits=waiting,
        oldest=oldest,
        workers=workers,
        ended=ended,
    )


_known: dict[tuple[str, str, str | None], tuple[float, Ended]] = {}


async def _ended(over: Range, task_type: str | None, now: datetime) -> Ended:
    """Return what ended, at most ENDED_AGE_SECONDS old: workers add to it every TALLY_SECONDS, so nothing is missed."""
    db = mongo.database()
    key = (db.name, over.name, task_type)
    known = _known.get(key)
    if known and time.monotonic() - known[0] < ENDED_AGE_SECONDS:
        return known[1]
    stored, hour, day = await asyncio.gather(periods.read(db, over, now), _unless(over, HOUR, now), _unless(over, DAY, now))
    hour, day = stored if over is HOUR else hour, stored if over is DAY else day
    chosen = periods.digest(stored, over, now, task_type=task_type)
    midnight = datetime.combine(now.date(), datetime.min.time(), UTC)
    ended = Ended(
        at=now,
        hour=chosen.by_type if over is HOUR else periods.by_type(hour),
        day=chosen.by_type if over is DAY else periods.by_type(day),
        today=periods.total(day, since=midnight),
        profiles=periods.by_resource(hour, since=periods.period_start(now - timedelta(minutes=PROVIDER_MINUTES), HOUR.span)),
        chosen=chosen,
    )
    if len(_known) >= MAX_KNOWN:
        _known.clear()
    _known[key] = (time.monotonic(), ended)
    return ended


async def _unless(over: Range, other: Range, now: datetime) -> list[Json]:
    """Read a range's periods, without what is large, if it is another one than that of the charts."""
    return [] if other is over else await periods.read(mongo.database(), other, now, periods.WITHOUT_TIMES)


async def _counts(selection: Selection) -> dict[Place, Count]:
    """Count by status and lane; with more patience while nothing is known at all."""
    counts: dict[Place, Count] = {}
    for _ in range(PATIENCE_ROUNDS):
        counts = counts or await counting.count(mongo.database(), selection)
    return counts


async def _oldest() -> OldestWait | None:
    """Return the queued task that could have begun first.

    No task can begin before it was created: so the search in the order of creation ends with the first that was created later than the best one could begin.
    """
    queued = Selection(statuses=frozenset({TaskStatus.QUEUED}))
    best: OldestWait | None = None
    for size in OLDEST_LOOKED_AT:
        found = await search.page(mongo.database(), queued, {"createdAt": 1, "availableAt": 1}, size=size, after=Position(EPOCH))
        for task in reversed(found.tasks):
            if best is not None and task["createdAt"] >= best.since:
                return best
            if best is None or task["availableAt"] < best.since:
                best = OldestWait(task["_id"], task["availableAt"])
        if not found.more:
            break
    return best


def _grid(now: datetime) -> datetime:
    # The same moment for some seconds, so that what was counted a moment ago is used again.
    seconds = int(now.timestamp())
    return datetime.fromtimestamp(seconds - seconds % 60, UTC)
