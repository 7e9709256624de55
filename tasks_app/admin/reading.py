"""All that the console reads from MongoDB: a page of the list, a task with what belongs to it, the tasks of a selection."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from pymongo.errors import ExecutionTimeout

from ainoval import mongo
from tasks_app import queries
from tasks_app.admin.filters import PAGE_SIZE
from tasks_app.admin.subjects import Subject, subjects
from tasks_app.documents import TASKS
from tasks_app.queries import Children, TaskFilter, TaskPage
from tasks_app.states import TaskStatus
from tasks_app.waiting import WaitingFacts, waiting_facts

Json = dict[str, Any]

COUNT_LIMIT: Final = 10_000
COUNT_MILLISECONDS: Final = 150
MAX_CELLS: Final = 2_000

# What names a task's subject, without the texts beside it.
_SUBJECT_FIELDS: Final = {f"parameters.{name}": 1 for name in ("sceneId", "novelId", "sceneIds", "startChapterId")}


@dataclass(frozen=True, slots=True)
class ListRead:
    """A page of the list.

    Attributes:
        counts: By tab: at most COUNT_LIMIT + 1, which means "more"; None where counting took too long.
        subjects: By task id.
    """

    page: TaskPage
    counts: dict[TaskStatus, int | None]
    facts: WaitingFacts
    subjects: dict[str, Subject]


async def read_list(wanted: TaskFilter, *, page: int) -> ListRead:
    """Read one page and the counts of all tabs.

    Args:
        page: From 1.
    """
    found, facts, counted = await asyncio.gather(
        queries.page(wanted, page=page - 1, size=PAGE_SIZE),
        waiting_facts(),
        asyncio.gather(*(_count(replace(wanted, statuses=(status,))) for status in TaskStatus)),
    )
    named = await _subjects_of([task["_id"] for task in found.items])
    return ListRead(found, dict(zip(TaskStatus, counted, strict=True)), facts, named)


async def _count(wanted: TaskFilter) -> int | None:
    # A tab's number is an orientation: it may cost little time, and never makes the page late.
    index = wanted.index("createdAt")
    options: Json = {"hint": index} if index else {}
    try:
        return await mongo.database()[TASKS].count_documents(wanted.query(), limit=COUNT_LIMIT + 1, maxTimeMS=COUNT_MILLISECONDS, **options)
    except ExecutionTimeout:
        return None


async def _subjects_of(task_ids: list[str]) -> dict[str, Subject]:
    if not task_ids:
        return {}
    db = mongo.database()
    found = db[TASKS].find({"_id": {"$in": task_ids}}, _SUBJECT_FIELDS)
    return await subjects(db, {task["_id"]: task.get("parameters", {}) async for task in found})


@dataclass(frozen=True, slots=True)
class TaskRead:
    """A task with what belongs to it.

    Attributes:
        position: Of a queued task, in the order of claims.
        cells: The children, at most MAX_CELLS, in the order in which they were planted; what has not completed comes first into a shortened list.
    """

    task: Json
    facts: WaitingFacts
    subject: Subject | None
    children: Children | None
    position: int | None
    cells: list[Json]
    cell_subjects: dict[str, Subject]


async def read_task(task_id: str) -> TaskRead:
    """Read a task.

    Raises:
        TaskNotFound: There is no such task.
    """
    db = mongo.database()
    task = await queries.get(task_id, user_id=None)
    # A requeued batch is without its `children` until it is claimed again, but they are there.
    children = await queries.children_counts(task_id) if not task.get("parentId") else None
    cells = await _cells(task_id) if children else []
    named = await subjects(db, {task_id: task.get("parameters", {})} | {cell["_id"]: cell.get("parameters", {}) for cell in cells})
    return TaskRead(
        task=task,
        facts=await waiting_facts(),
        subject=named.pop(task_id, None),
        children=children,
        position=await queries.position(task) if task["status"] == TaskStatus.QUEUED else None,
        cells=cells,
        cell_subjects=named,
    )


async def _cells(parent_id: str) -> list[Json]:
    fields = {"status": 1, "fairKey": 1, "errorInfo.code": 1, **_SUBJECT_FIELDS}
    tasks = mongo.database()[TASKS]
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
    subjects: dict[str, Subject]


async def read_selection(task_ids: list[str]) -> SelectionRead:
    """Read selected tasks; those that are gone are missing."""
    fields = {"taskType": 1, "status": 1, "userId": 1, "parentId": 1, "lease.owner": 1}
    found = {task["_id"]: task async for task in mongo.database()[TASKS].find({"_id": {"$in": task_ids}}, fields)}
    present = [task_id for task_id in task_ids if task_id in found]
    return SelectionRead([found[task_id] for task_id in present], await _subjects_of(present))
