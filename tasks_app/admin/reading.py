"""All that the console reads from MongoDB: a page of the list, a task with what belongs to it, the tasks of a selection."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from tasks_app import bulk_actions, queries, search
from tasks_app.admin import counting, resolving
from tasks_app.admin.counting import Count, Place
from tasks_app.admin.filters import PAGE_SIZE
from tasks_app.admin.resolving import Asked, Resolved
from tasks_app.admin.subjects import SUBJECT_FIELDS, Subject, subjects
from tasks_app.documents import TASKS
from tasks_app.families import ChildCounts
from tasks_app.search import Found, Position
from tasks_app.states import TaskStatus
from tasks_app.waiting import WaitingFacts, waiting_facts

Json = dict[str, Any]

MAX_CELLS: Final = 2_000
MAX_NEW: Final = 100
MAX_UNDER_WAY: Final = 10
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# A line of the list, without texts: of the last error its code only.
ROW_FIELDS: Final[Json] = {
    **dict.fromkeys(("status", "taskType", "userId", "parentId", "lane", "progress", "resource", "wait", "usage", "attempt", "maxAttempts"), 1),
    **dict.fromkeys(("createdAt", "updatedAt", "startedAt", "completedAt", "availableAt", "cancelRequestedAt"), 1),
    **dict.fromkeys(("lease.owner", "children.total", "errorInfo.code"), 1),
    **SUBJECT_FIELDS,
}


@dataclass(frozen=True, slots=True)
class ListRead:
    """A page of the list.

    Attributes:
        counts: Of all tabs; {} while they are not known.
        subjects: By task id.
        types: That can be filtered by.
        under_way: Actions on many tasks that have not ended.
    """

    resolved: Resolved
    page: Found
    counts: dict[Place, Count]
    facts: WaitingFacts
    subjects: dict[str, Subject]
    types: list[str]
    under_way: list[Json]


async def read_list(asked: Asked) -> ListRead:
    """Read one page and the counts of all tabs."""
    db = mongo.database()
    resolved = await resolving.resolve(db, asked)
    facts, types = await waiting_facts(), await resolving.known_types(db)
    if resolved.problems:
        return ListRead(resolved, Found([], more=False), {}, facts, {}, types, [])
    counted = asyncio.create_task(counting.count(db, resolved.selection))
    state = asked.state
    found = await search.page(db, resolved.selection, ROW_FIELDS, size=PAGE_SIZE, before=state.before, after=state.after)
    named = await subjects(db, found.tasks)
    return ListRead(resolved, found, await counted, facts, named, types, await _under_way(db))


@dataclass(frozen=True, slots=True)
class Refresh:
    """What may have changed about a list that is being looked at.

    Attributes:
        rows: The tasks that are shown, in no order; those that were deleted are missing.
        new: How many newer ones there are, MAX_NEW at most.
    """

    resolved: Resolved
    rows: list[Json]
    new: int
    counts: dict[Place, Count]
    facts: WaitingFacts
    subjects: dict[str, Subject]
    under_way: list[Json]


async def read_refresh(asked: Asked, task_ids: list[str]) -> Refresh:
    """Read the tasks that are shown once more, and how many have come since (when it is the first page that is shown)."""
    db = mongo.database()
    resolved = await resolving.resolve(db, asked)
    facts = await waiting_facts()
    if resolved.problems:
        return Refresh(resolved, [], 0, {}, facts, {}, [])
    counted = asyncio.create_task(counting.count(db, resolved.selection))
    rows = await db[TASKS].find({"_id": {"$in": task_ids}}, ROW_FIELDS, hint="_id_").to_list(None)
    newest = max((Position.of(row) for row in rows), default=Position(EPOCH))
    new = 0 if asked.state.before or asked.state.after else await search.count_newer(db, resolved.selection, newest, limit=MAX_NEW)
    return Refresh(resolved, rows, new, await counted, facts, await subjects(db, rows), await _under_way(db))


async def _under_way(db: AsyncDatabase[Json]) -> list[Json]:
    return [action for action in await bulk_actions.newest(db, limit=MAX_UNDER_WAY) if action["outcome"] is None]


@dataclass(frozen=True, slots=True)
class TaskRead:
    """A task with what belongs to it.

    Attributes:
        position: Of a queued task, in the order of claims.
        bulk_actions: The staff's actions on many that came to it.
        cells: The children, at most MAX_CELLS, in the order in which they were planted; what has not completed comes first into a shortened list.
    """

    task: Json
    facts: WaitingFacts
    subject: Subject | None
    children: ChildCounts | None
    position: int | None
    cells: list[Json]
    cell_subjects: dict[str, Subject]
    bulk_actions: list[Json]


async def read_task(task_id: str) -> TaskRead:
    """Read a task.

    Raises:
        TaskNotFound: There is no such task.
    """
    db = mongo.database()
    task = await queries.get(task_id, user_id=None)
    # A requeued batch is without its `children` until it is claimed again, but they are there.
    children = await queries.children_counts(task_id) if not task.get("parentId") else None
    cells = await _cells(db, task_id) if children else []
    listed = (task.get("parameters") or {}).get("sceneIds")
    named = await subjects(db, [task | {"sceneCount": len(listed) if isinstance(listed, list) else None}, *cells])
    return TaskRead(
        task=task,
        facts=await waiting_facts(),
        subject=named.pop(task_id, None),
        children=children,
        position=await queries.position(task) if task["status"] == TaskStatus.QUEUED else None,
        cells=cells,
        cell_subjects=named,
        bulk_actions=await bulk_actions.by_ids(db, task.get("bulkActions") or []),
    )


async def _cells(db: AsyncDatabase[Json], parent_id: str) -> list[Json]:
    fields = {"status": 1, "fairKey": 1, "errorInfo.code": 1, **SUBJECT_FIELDS}
    tasks = db[TASKS]
    done = TaskStatus.COMPLETED.value
    noteworthy = sorted(status.value for status in TaskStatus if status is not TaskStatus.COMPLETED)
    cells = await tasks.find({"parentId": parent_id, "status": {"$in": noteworthy}}, fields, hint="family").limit(MAX_CELLS).to_list(None)
    if room := MAX_CELLS - len(cells):
        cells += await tasks.find({"parentId": parent_id, "status": done}, fields, hint="family").limit(room).to_list(None)
    return sorted(cells, key=lambda cell: (cell["fairKey"], cell["_id"]))


@dataclass(frozen=True, slots=True)
class SelectionRead:
    """The tasks of a selection that exist, in the order of the selection."""

    tasks: list[Json]
    subjects: dict[str, Subject] = field(default_factory=dict)


async def read_selection(task_ids: list[str]) -> SelectionRead:
    """Read selected tasks; those that are gone are missing."""
    db = mongo.database()
    fields = {"taskType": 1, "status": 1, "userId": 1, "parentId": 1, "lease.owner": 1, "appliedAt": 1, **SUBJECT_FIELDS}
    found = {task["_id"]: task async for task in db[TASKS].find({"_id": {"$in": task_ids}}, fields, hint="_id_")}
    tasks = [found[task_id] for task_id in task_ids if task_id in found]
    return SelectionRead(tasks, await subjects(db, tasks))
