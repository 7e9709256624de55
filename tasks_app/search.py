"""Reading selected tasks in order, page by page, each page from where the last one ended (no page is found by counting those before it).

A search for something rare could pass a million tasks. If it is not done at once it goes back in windows of time that grow as long as they are cheap, and
stops after its budget: the page says how far it has come, and the next one goes on from there.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ExecutionTimeout

from ainoval import moments
from tasks_app.documents import TASKS
from tasks_app.selection import NEWEST_FIRST, OLDEST_FIRST, Selection

Json = dict[str, Any]

AT_ONCE_SECONDS: Final = 0.02
BUDGET_SECONDS: Final = 0.02
FIRST_WINDOW: Final = timedelta(minutes=30)
LONGEST_WINDOW: Final = timedelta(days=3_650)
GROWTH: Final = 16.0
SHORTEST_WINDOW: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the order of creation; a task's, or with an id of "" the place before all tasks of that moment."""

    created_at: datetime
    task_id: str = ""

    @classmethod
    def of(cls, task: Json) -> "Position":
        """Return a task's place."""
        return cls(task["createdAt"], task["_id"])

    def older(self) -> Json:
        """Return the condition of being created before this place."""
        return self._beside("$lt")

    def newer(self) -> Json:
        """Return the condition of being created after this place."""
        return self._beside("$gt")

    def _beside(self, operator: str) -> Json:
        # Bounds for the index, and beside them the exact comparison of (createdAt, _id).
        place = {"at": {"$literal": self.created_at}, "id": {"$literal": self.task_id}}
        return {"createdAt": {f"{operator}e": self.created_at}, "$expr": {operator: [{"at": "$createdAt", "id": "$_id"}, place]}}


@dataclass(frozen=True, slots=True)
class Found:
    """A page, the newest first.

    Attributes:
        more: Whether there are more in the direction in which it was read.
        reached: How far a search has come that was stopped by its budget; None for one that was not.
    """

    tasks: list[Json]
    more: bool
    reached: Position | None = None


async def stored_types(db: AsyncDatabase[Json]) -> tuple[str, ...]:
    """Return the task types that occur among stored tasks, known here or not: a scan that leaps from type to type in the index."""
    return tuple(sorted(await db[TASKS].distinct("taskType", Selection().query())))


async def complete(db: AsyncDatabase[Json], selection: Selection) -> Selection:
    """Return the selection with its types named, if the index needs them."""
    return replace(selection, task_types=await stored_types(db)) if selection.needs_types else selection


async def page(
    db: AsyncDatabase[Json], selection: Selection, fields: Json, *, size: int, before: Position | None = None, after: Position | None = None
) -> Found:
    """Return the newest selected tasks before a place, or the oldest after one (in the same order, the newest first).

    Args:
        before, after: One of them at most; neither begins with the newest of all.
    """
    selection = await complete(db, selection)
    reader = _Reader(db, selection, fields, ascending=after is not None)
    place = after or before
    found, reached = await reader.search(place, size + 1) if selection.sparse else (await reader.read(place, size + 1), None)
    tasks = found[:size]
    return Found(tasks[::-1] if after else tasks, more=len(found) > size or reached is not None, reached=None if len(found) > size else reached)


async def newest(db: AsyncDatabase[Json], selection: Selection, fields: Json, *, limit: int) -> list[Json]:
    """Return the newest selected tasks, at most `limit` (1 or more), however long it takes to find them."""
    selection = await complete(db, selection)
    return await _Reader(db, selection, fields, ascending=False).read(None, limit)


async def count_newer(db: AsyncDatabase[Json], selection: Selection, place: Position, *, limit: int) -> int:
    """Count selected tasks that were created after a place, to `limit` at most."""
    found = await page(db, selection, {"createdAt": 1}, size=limit, after=place)
    return len(found.tasks)


class _Reader:
    """Reads one selection in one direction."""

    def __init__(self, db: AsyncDatabase[Json], selection: Selection, fields: Json, *, ascending: bool) -> None:
        self._tasks = db[TASKS]
        self._parts = [part.query() for part in selection.parts()]
        self._index = selection.index()
        self._fields = fields
        self._ascending = ascending

    async def read(self, place: Position | None, limit: int, until: datetime | None = None, *, within: float | None = None) -> list[Json]:
        """Return at most `limit` tasks from a place on, up to a moment.

        Raises:
            ExecutionTimeout: It would have taken longer than `within` seconds.
        """
        conditions = [(place.newer() if self._ascending else place.older())] if place else []
        if until is not None:
            conditions.append({"createdAt": {"$lt": until} if self._ascending else {"$gte": until}})
        found = [await self._find(query, conditions, limit, within) for query in self._parts]
        return found[0] if len(found) == 1 else list(merge(*found, key=_order, reverse=not self._ascending))[:limit]

    async def search(self, place: Position | None, limit: int) -> tuple[list[Json], Position | None]:
        """Return at most `limit` tasks from a place on, and how far it came if it did not reach the end."""
        with suppress(ExecutionTimeout):
            return await self.read(place, limit, within=AT_ONCE_SECONDS), None
        began = time.monotonic()
        start = place
        edge = place.created_at if place else datetime.now(UTC) + timedelta(minutes=1)
        window = FIRST_WINDOW
        found: list[Json] = []
        while True:
            until = None if window >= LONGEST_WINDOW else moments.storable(edge + window if self._ascending else edge - window)
            before = time.monotonic()
            try:
                found += await self.read(place, limit - len(found), until, within=BUDGET_SECONDS if window > SHORTEST_WINDOW else None)
            except ExecutionTimeout:
                if place is not start and time.monotonic() - began > BUDGET_SECONDS:
                    return found, place  # not without having come on at all: the next page would be the same
                window /= GROWTH * GROWTH
                continue
            now = time.monotonic()
            if until is None or len(found) >= limit:
                return found, None
            place, edge = Position(until), until
            left = BUDGET_SECONDS - (now - began)
            if left <= 0:
                return found, place
            window = min(window * min(max(left / max(now - before, 0.001), 1.0), GROWTH), LONGEST_WINDOW)

    async def _find(self, query: Json, conditions: list[Json], limit: int, within: float | None) -> list[Json]:
        wanted = {"$and": [query, *conditions]} if conditions else query
        sort = OLDEST_FIRST if self._ascending else NEWEST_FIRST
        if self._index == "_id_":  # few, and in no order
            found = await self._tasks.find(wanted, self._fields, hint=self._index).to_list(None)
            return sorted(found, key=_order, reverse=not self._ascending)[:limit]
        milliseconds = max(round(1_000 * within), 1) if within is not None else None
        return await self._tasks.find(wanted, self._fields, hint=self._index, max_time_ms=milliseconds).sort(sort).limit(limit).to_list(None)


def _order(task: Json) -> tuple[datetime, str]:
    return task["createdAt"], task["_id"]
