"""How many tasks each tab has. A count must never make a page late: what takes longer than a moment goes on in the background, and the page shows what is
known, which the next look at it brings up to date.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from ainoval.logs import get_logger
from tasks_app import search
from tasks_app.documents import BATCH_LANE, SINGLE_LANE, TASKS
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus

Json = dict[str, Any]
Place = tuple[TaskStatus, int]

EXACT_LIMIT: Final = 10_000
PATIENCE_SECONDS: Final = 0.02
SHORTEST_AGE_SECONDS: Final = 1.5
# A count is repeated when it is this many times older than it took: counting costs a twentieth of one processor at most.
AGE_TO_COST: Final = 20
LONGEST_AGE_SECONDS: Final = 30.0
ESTIMATE_AGE_SECONDS: Final = 60.0
MAX_MILLISECONDS: Final = 10_000
MAX_KNOWN: Final = 200
LANES: Final = (SINGLE_LANE, BATCH_LANE)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Count:
    """A number of tasks; `exact` False when it is counted to EXACT_LIMIT only (`number` is then the limit), or was estimated by an older count."""

    number: int
    exact: bool = True
    estimated: bool = False

    def __add__(self, other: "Count") -> "Count":
        return Count(self.number + other.number, self.exact and other.exact, self.estimated or other.estimated)


@dataclass(slots=True)
class _Known:
    counts: dict[Place, Count] = field(default_factory=dict)
    counted_at: float = float("-inf")
    cost: float = 0.0
    estimates: dict[Place, int] = field(default_factory=dict)
    estimated_at: float = float("-inf")
    under_way: "asyncio.Task[None] | None" = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.counted_at < min(max(SHORTEST_AGE_SECONDS, AGE_TO_COST * self.cost), LONGEST_AGE_SECONDS)


_known: dict[str, _Known] = {}


async def count(db: AsyncDatabase[Json], selection: Selection) -> dict[Place, Count]:
    """Return how many of the selected tasks are in each status and lane, whatever status and lane the selection itself names.

    Returns:
        {} when nothing is known yet; counting goes on.
    """
    selection = replace(selection, statuses=frozenset(TaskStatus), children=True)
    key = f"{db.name} {selection!r}"
    if key not in _known and len(_known) >= MAX_KNOWN:
        for old in [old for old, entry in _known.items() if entry.under_way is None]:
            del _known[old]
    known = _known.setdefault(key, _Known())
    if not known.is_fresh:
        if known.under_way is None:
            known.ready = asyncio.Event()
            known.under_way = asyncio.create_task(_bring_up_to_date(db, selection, known))
        with suppress(TimeoutError):
            await asyncio.wait_for(known.ready.wait(), PATIENCE_SECONDS)
    return known.counts


async def _bring_up_to_date(db: AsyncDatabase[Json], selection: Selection, known: _Known) -> None:
    try:
        began = time.monotonic()
        by_ranges = selection.index() == "listed" and not selection.sparse
        counts = await _scan(db, selection, EXACT_LIMIT + 1) if by_ranges else await _group(db, selection)
        if not by_ranges:
            known.estimates, known.estimated_at = counts, time.monotonic()
        known.counts = {place: _shown(number, known.estimates.get(place)) for place, number in counts.items()}
        known.counted_at = time.monotonic()
        known.cost = known.counted_at - began
        known.ready.set()
        large = {place for place, number in counts.items() if number > EXACT_LIMIT}
        if large and known.counted_at - known.estimated_at > ESTIMATE_AGE_SECONDS:
            known.estimates = await _scan(db, selection, 0, large)
            known.estimated_at = time.monotonic()
            known.counts = known.counts | {place: _shown(EXACT_LIMIT + 1, known.estimates.get(place)) for place in large}
    except PyMongoError as exc:
        log.info("count_given_up", error=type(exc).__name__)
        known.counted_at, known.cost = time.monotonic(), 1.0
    finally:
        known.under_way = None
        known.ready.set()


def _shown(number: int, estimate: int | None) -> Count:
    if number <= EXACT_LIMIT:
        return Count(number)
    return Count(max(estimate, EXACT_LIMIT), exact=False, estimated=True) if estimate is not None else Count(EXACT_LIMIT, exact=False)


async def _group(db: AsyncDatabase[Json], selection: Selection) -> dict[Place, int]:
    """Count everything in one pass over an index (with the documents where the filter needs them)."""
    selection = await search.complete(db, selection)
    counts: dict[Place, int] = {}
    for part in selection.parts():
        stages = [{"$match": part.query()}, {"$group": {"_id": {"status": "$status", "lane": "$lane"}, "count": {"$sum": 1}}}]
        async for group in await db[TASKS].aggregate(stages, hint=part.index(), maxTimeMS=MAX_MILLISECONDS):
            counts[TaskStatus(group["_id"]["status"]), group["_id"]["lane"]] = group["count"]
    return {(status, lane): counts.get((status, lane), 0) for status in TaskStatus for lane in LANES}


async def _scan(db: AsyncDatabase[Json], selection: Selection, limit: int, places: set[Place] | None = None) -> dict[Place, int]:
    """Count each status and lane by itself: one range of the index each, which MongoDB counts without looking at the keys (3,000,000 a second, measured).

    Args:
        limit: 0 = none.
    """
    created = {name: value for name, value in selection.query().items() if name == "createdAt"}
    # With a bound of time it is one range only for each type.
    types: list[str | None] = list(selection.task_types or (await search.stored_types(db) if created else (None,)))
    wanted = sorted(places) if places is not None else [(status, lane) for status in TaskStatus for lane in LANES]

    async def one(status: TaskStatus, lane: int, task_type: str | None) -> int:
        query = {"status": status.value, "lane": lane} | ({"taskType": task_type} if task_type else {}) | created
        command: Json = {"count": TASKS, "query": query, "hint": "listed", "maxTimeMS": MAX_MILLISECONDS}
        return int((await db.command(command | ({"limit": limit} if limit else {})))["n"])

    ranges = [(status, lane, task_type) for status, lane in wanted for task_type in types]
    # One after the other where nothing bounds them: they must not take all processors from everybody else.
    found = await asyncio.gather(*(one(*each) for each in ranges)) if limit else [await one(*each) for each in ranges]
    totals = dict.fromkeys(wanted, 0)
    for (status, lane, _), number in zip(ranges, found, strict=True):
        totals[status, lane] += number
    return totals
