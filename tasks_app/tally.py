"""What has ended, counted by the minute: what the console's charts are drawn from, at a cost that no ending notices.

A worker counts its attempts in memory (`Tally`) and adds the counts every few seconds to `task_periods`, one small document for each period, task type and
AI profile: unjournaled, and merged with no write that matters. Endings that no attempt writes are counted by those who write them (`record`).

All of it is a hint: a worker that dies takes some seconds of counts with it, an ending that is counted may be requeued later. What is true is in
`background_tasks`.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from ainoval import mongo
from ainoval.logs import get_logger
from tasks_app.documents import PERIODS, TASKS
from tasks_app.durations import bin_of
from tasks_app.lifecycle import Transition
from tasks_app.states import TaskStatus

Json = dict[str, Any]

SPANS: Final = {1: timedelta(hours=3), 30: timedelta(days=2), 180: timedelta(days=8)}
"""The lengths of a period in minutes, and how long those are kept: each range of the charts reads about fifty periods."""

OTHER_CODE: Final = "other"

_FIELD = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Cut short from outside: how long they ran says nothing about the work.
_CUT_SHORT: Final = frozenset({"cancelled", "released", "lost"})

log = get_logger(__name__)

Kind = tuple[str, str | None]  # task type, resource
Key = tuple[str, str | None, int]  # the same, and the minute since 1970
Field = tuple[str, str | int]  # as in ("ended", "COMPLETED"), ("wait", 12)
Counts = dict[Field, int]

_MINUTE: Final = timedelta(minutes=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Tally:
    """Counts of one process that have not been written yet."""

    def __init__(self, db: AsyncDatabase[Json]) -> None:
        self._periods = db.get_collection(PERIODS, write_concern=mongo.HINT)
        self._counts: dict[Key, Counts] = {}
        self._minute = 0
        self._minute_from = self._minute_to = _NEVER

    def attempt(self, task: Json, transition: Transition) -> None:
        """Count an attempt whose ending is stored.

        Args:
            task: As it was claimed.
            transition: Its ending.
        """
        update: Any = transition.update
        changes = update["$set"]
        ended_at = changes["updatedAt"]
        counts = self._at(task["taskType"], task.get("resource"), ended_at)
        _add(counts, ("wait", bin_of((task["startedAt"] - task["availableAt"]).total_seconds())))
        if "$push" not in update:
            return  # a batch that has planted its children: it ends with them
        entry = update["$push"]["attempts"]["$each"][0]
        outcome = entry["outcome"]
        _add(counts, ("attempts", outcome))
        if outcome not in _CUT_SHORT:
            _add(counts, ("run", bin_of((ended_at - entry["startedAt"]).total_seconds())))
        if "completedAt" in changes:
            _add(counts, ("ended", changes["status"]))
        if "error" in entry:
            _add(counts, ("errors", entry["error"]["code"]))
        if usage := entry.get("usage"):
            _add(counts, ("tokens", "prompt"), usage["promptTokens"])
            _add(counts, ("tokens", "completion"), usage["completionTokens"])

    def ending(self, ending: "Ending", at: datetime) -> None:
        """Count endings that no attempt has written."""
        counts = self._at(ending.task_type, ending.resource, at)
        if ending.status is not None:
            _add(counts, ("ended", ending.status.value), ending.count)
        if ending.lost:
            _add(counts, ("attempts", "lost"), ending.count)
        if ending.code is not None:
            _add(counts, ("errors", ending.code), ending.count)
        if ending.run_seconds is not None:
            _add(counts, ("run", bin_of(ending.run_seconds)), ending.count)

    def _at(self, task_type: str, resource: str | None, moment: datetime) -> Counts:
        if not self._minute_from <= moment < self._minute_to:
            self._minute = int(moment.timestamp()) // 60
            self._minute_from = datetime.fromtimestamp(self._minute * 60, UTC)
            self._minute_to = self._minute_from + _MINUTE
        key = (task_type, resource, self._minute)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = {}
        return counts

    async def flush(self) -> None:
        """Add what was counted to the stored periods. When MongoDB is away the counts are kept for the next time."""
        if not self._counts:
            return
        taken, self._counts = self._counts, {}
        try:
            await self._write(operations(taken, datetime.now(UTC)))
        except mongo.UNAVAILABLE:
            for key, counts in taken.items():
                kept = self._counts.setdefault(key, {})
                for field, count in counts.items():
                    _add(kept, field, count)
            raise

    async def _write(self, additions: list[UpdateOne]) -> None:
        if additions:
            await self._periods.bulk_write(additions, ordered=False)


def _add(counts: Counts, field: Field, count: int = 1) -> None:
    counts[field] = counts.get(field, 0) + count


def operations(counted: dict[Key, Counts], now: datetime) -> list[UpdateOne]:
    """Return the writes that add counts of minutes to the stored periods of every length; those that would have been deleted by now are left out."""
    periods: dict[tuple[str, str | None, int, int], Counts] = {}
    for (task_type, resource, minute), counts in counted.items():
        for span in SPANS:
            period = periods.setdefault((task_type, resource, span, minute // span), {})
            for field, count in counts.items():
                _add(period, field, count)
    return [_addition(*key, counts) for key, counts in periods.items() if _expire_at(*key[2:]) > now]


def _addition(task_type: str, resource: str | None, span: int, number: int, counts: Counts) -> UpdateOne:
    start = datetime.fromtimestamp(number * span * 60, UTC)
    made = {"taskType": task_type, "resource": resource, "span": span, "start": start, "expireAt": _expire_at(span, number)}
    increments: dict[str, int] = {}
    for (group, name), count in counts.items():
        path = f"{group}.{_storable(str(name))}"
        increments[path] = increments.get(path, 0) + count
    return UpdateOne({"_id": f"{span}:{number}:{task_type}:{resource or ''}"}, {"$inc": increments, "$setOnInsert": made}, upsert=True)


def _expire_at(span: int, number: int) -> datetime:
    return datetime.fromtimestamp((number + 1) * span * 60, UTC) + SPANS[span]


def _storable(name: str) -> str:
    # An error code becomes a field's name: what MongoDB would read as a path, or could not take, is counted all the same.
    return name if _FIELD.fullmatch(name) else OTHER_CODE


@dataclass(frozen=True, slots=True)
class Ending:
    """Endings of one kind that no attempt has written.

    Attributes:
        status: How the tasks ended; None when they have not (a lost attempt that runs again).
        code: The error they ended with.
        lost: Whether their worker was lost.
        run_seconds: How long the work took, of a batch: from its start to its last task's end.
    """

    task_type: str
    resource: str | None
    status: TaskStatus | None
    count: int = 1
    code: str | None = None
    lost: bool = False
    run_seconds: float | None = None


async def record(db: AsyncDatabase[Json], endings: Iterable[Ending]) -> None:
    """Count endings at once. What they are about has happened: that it cannot be counted is nobody's failure."""
    tally = Tally(db)
    for ending in endings:
        tally.ending(ending, datetime.now(UTC))
    try:
        await tally.flush()
    except PyMongoError as exc:
        log.warning("endings_not_counted", error=type(exc).__name__)


async def kinds(db: AsyncDatabase[Json], query: Json, *, hint: str) -> Counter[Kind]:
    """Count tasks by type and resource: before they are ended together, to know which they were."""
    stages = [{"$match": query}, {"$group": {"_id": {"taskType": "$taskType", "resource": "$resource"}, "count": {"$sum": 1}}}]
    groups = await db[TASKS].aggregate(stages, hint=hint)
    return Counter({(group["_id"]["taskType"], group["_id"].get("resource")): group["count"] async for group in groups})


def kinds_of(tasks: Iterable[Json]) -> Counter[Kind]:
    """Count tasks that were read with their `taskType` and `resource`."""
    return Counter((task["taskType"], task.get("resource")) for task in tasks)


def alike(of: Counter[Kind], status: TaskStatus, *, at_most: int) -> list[Ending]:
    """Return the endings of tasks that were ended together with one status.

    Args:
        at_most: How many did end: others may have been faster with some.
    """
    endings = []
    for (task_type, resource), count in of.items():
        if counted := min(count, at_most):
            endings.append(Ending(task_type, resource, status, counted))
            at_most -= counted
    return endings
