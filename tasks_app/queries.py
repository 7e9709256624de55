"""Reading tasks: one, a page, counts. Every query uses a named index (docs/indexes.md), and nothing here writes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from tasks_app.documents import BATCH_LANE, LANES, SINGLE_LANE, TASKS
from tasks_app.errors import TaskNotFound
from tasks_app.families import ChildCounts, count_children
from tasks_app.selection import later_key
from tasks_app.states import TaskStatus

Json = dict[str, Any]

# No list shows them.
WITHOUT_HEAVY_FIELDS = {"parameters": 0, "result": 0, "draft": 0, "attempts": 0}
EXACT_COUNT = 20_000
COUNT_AGE_SECONDS = 5.0
POSITION_LIMIT = 1_000

SORTS = {"createdAt": "user_created", "updatedAt": "user_updated"}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which of a user's tasks a list shows.

    Args:
        user_id: Whose.
        statuses: Any of these; empty for all.
        task_types: Of any of these stored names; empty for all.
        parent_id: Children of this one.
        include_children: With those that have a parent, too.
    """

    user_id: str
    statuses: tuple[TaskStatus, ...] = ()
    task_types: tuple[str, ...] = ()
    parent_id: str | None = None
    include_children: bool = False

    def query(self) -> Json:
        """Return the filter as MongoDB takes it."""
        query: Json = {"userId": self.user_id}
        if self.parent_id is not None:
            query |= {"parentId": self.parent_id, "lane": BATCH_LANE}
        else:
            query["lane"] = {"$in": LANES} if self.include_children else SINGLE_LANE
        if self.statuses:
            query["status"] = {"$in": sorted(self.statuses)}
        if self.task_types:
            query["taskType"] = later_key(self.task_types)
        return query

    def index(self, sort_by: str) -> str:
        """Return the index that serves this filter in this order."""
        # By last change, a batch's tasks are picked from all of the user's batch lane: no index has the order of a family alone.
        return "family" if self.parent_id is not None and sort_by == "createdAt" else SORTS[sort_by]


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of task documents (without parameters, results and histories)."""

    items: list[Json]
    total: int


async def get(task_id: str, *, user_id: str | None) -> Json:
    """Return a task's document.

    Args:
        user_id: Whose it must be; None for staff.

    Raises:
        TaskNotFound: It does not exist, or belongs to somebody else: the two are not told apart.
    """
    scope = {"_id": task_id} if user_id is None else {"_id": task_id, "userId": user_id}
    document = await mongo.database()[TASKS].find_one(scope)
    if document is None:
        raise TaskNotFound
    return document


_counts: dict[str, tuple[float, int]] = {}


async def page(f: TaskFilter, *, page: int, size: int, sort_by: str = "createdAt", descending: bool = True) -> TaskPage:
    """Return one page.

    Args:
        page: From 0.
        size: 1 or more.
        sort_by: `createdAt` or `updatedAt`; ties by id.
    """
    tasks = mongo.database()[TASKS]
    direction = -1 if descending else 1
    query = f.query()
    # Each status is a stream of its index that is in the order of creation; all named, they are merged.
    in_order = {"status": {"$in": sorted(TaskStatus)}} | query if sort_by == "createdAt" else query
    found = tasks.find(in_order, WITHOUT_HEAVY_FIELDS, hint=f.index(sort_by)).sort([(sort_by, direction), ("_id", direction)]).skip(page * size).limit(size)
    items, total = await asyncio.gather(found.to_list(None), _count(mongo.database(), query, f.index("createdAt")))
    # The last page's end is the total, whatever was counted a moment before or after.
    return TaskPage(items, page * size + len(items) if items and len(items) < size else total)


async def _count(db: AsyncDatabase[Json], query: Json, index: str) -> int:
    """Count exactly to 20,000; above that the count may be some seconds old."""
    key = f"{db.name} {query!r}"
    known = _counts.get(key)
    if known and time.monotonic() - known[0] < COUNT_AGE_SECONDS:
        return known[1]
    # The aggregation that `count_documents` sends takes a third longer for each key. The driver does not repeat a command whose connection was lost.
    total: int = (await db.command("count", TASKS, query=query, hint=index))["n"]
    if total > EXACT_COUNT:
        if len(_counts) > 1_000:
            _counts.clear()
        _counts[key] = (time.monotonic(), total)
    return total


async def children_counts(task_id: str) -> ChildCounts | None:
    """Count a task's children; None when it has none."""
    counts = (await count_children(mongo.database(), [task_id]))[task_id]
    return counts if counts.total else None


async def position(task: Mapping[str, Any]) -> int:
    """Return how many tasks are before this queued one in the order of claims, counted to 1,000; 1 for the first."""
    tasks = mongo.database()[TASKS]
    queued = TaskStatus.QUEUED.value
    lane, priority, key = task["lane"], task["priority"], task["fairKey"]
    before = [
        {"lane": {"$lt": lane}},
        {"lane": lane, "priority": {"$gt": priority}},
        {"lane": lane, "priority": priority, "fairKey": {"$lt": key}},
        {"lane": lane, "priority": priority, "fairKey": key, "createdAt": {"$lt": task["createdAt"]}},
    ]
    count = 0
    for clause in before:
        count += await tasks.count_documents({"status": queued, **clause}, limit=POSITION_LIMIT - count, hint="claim")
        if count >= POSITION_LIMIT:
            return POSITION_LIMIT
    return count + 1
