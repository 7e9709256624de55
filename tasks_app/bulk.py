"""Operations on many tasks at once, for operators: select, count, then cancel, requeue or purge in bounded groups.

Each group is read by an index, and every write repeats the selection's condition, so that these run beside workers, users and each other: a task that
has moved on meanwhile is left alone, and a second run finds nothing more to do.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.logs import get_logger
from tasks_app import families, lifecycle, maintenance, registry, states
from tasks_app.conf import task_settings
from tasks_app.documents import BATCH_LANE, SINGLE_LANE, TASKS
from tasks_app.errors import UnknownTaskType
from tasks_app.fairness import FairShares
from tasks_app.states import TaskStatus

Json = dict[str, Any]

GROUP = 500
CANCEL_ROUNDS = 3

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tasks. What is given narrows the selection; an empty one is every task there is.

    Args:
        task_ids: These at most.
        task_types: Stored names, with former ones.
        children: Whether tasks of batches are selected like any other; without, a batch stands for its tasks.
        created_before, ended_before: Up to and including this moment, aware UTC.
    """

    task_ids: tuple[str, ...] = ()
    user_id: str | None = None
    task_types: tuple[str, ...] = ()
    statuses: frozenset[TaskStatus] = frozenset(TaskStatus)
    children: bool = True
    created_before: datetime | None = None
    ended_before: datetime | None = None

    def query(self) -> Json:
        """Return the selection as MongoDB takes it."""
        query: Json = {"status": {"$in": sorted(self.statuses)}}
        if self.task_ids:
            query["_id"] = {"$in": sorted(set(self.task_ids))}
        if self.user_id is not None:
            query["userId"] = self.user_id
        if self.user_id is not None or not self.children:
            query["lane"] = {"$in": [SINGLE_LANE, BATCH_LANE]} if self.children else SINGLE_LANE
        if self.task_types:
            query["taskType"] = {"$in": sorted(self.task_types)}
        if self.ended_before is not None:
            query["completedAt"] = {"$lte": self.ended_before}
        # What ended before a moment was created before it, and that is in the index.
        created_before = min((moment for moment in (self.created_before, self.ended_before) if moment), default=None)
        if created_before is not None:
            query["createdAt"] = {"$lte": created_before}
        return query

    def index(self) -> str:
        """Return the index that serves the selection, oldest or newest first."""
        if self.task_ids:
            return "_id_"
        return "user_created" if self.user_id is not None else "status_created"

    def scope(self, task_ids: Sequence[str]) -> Json:
        """Return the condition for a write on some of the selected tasks: what may have changed since they were read is asked again."""
        # In $and, because the transition states a `status` of its own: both must hold.
        still: list[Json] = [{"status": {"$in": sorted(self.statuses)}}]
        if self.ended_before is not None:
            still.append({"completedAt": {"$lte": self.ended_before}})
        return {"_id": {"$in": list(task_ids)}, "$and": still}


async def find(db: AsyncDatabase[Json], selection: Selection, fields: Json, *, limit: int) -> list[Json]:
    """Return the newest selected tasks, at most `limit` (1 or more)."""
    cursor = db[TASKS].find(selection.query(), fields, hint=selection.index()).sort([("createdAt", -1), ("_id", -1)])
    return await cursor.limit(limit).to_list(None)


async def count(db: AsyncDatabase[Json], selection: Selection) -> dict[TaskStatus, int]:
    """Count the selected tasks by status; those with none are left out."""
    stages = [{"$match": selection.query()}, {"$group": {"_id": "$status", "count": {"$sum": 1}}}]
    cursor = await db[TASKS].aggregate(stages, hint=selection.index())
    counts = {group["_id"]: group["count"] async for group in cursor}
    return {status: counts[status] for status in TaskStatus if status in counts}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A task that was named by its id and is not in the selection; without a status there is no such task."""

    task_id: str
    status: TaskStatus | None = None
    parent_id: str | None = None


async def left_out(db: AsyncDatabase[Json], selection: Selection) -> list[LeftOut]:
    """Return what a selection by ids does not select, in the order of the ids."""
    named = {"_id": {"$in": list(selection.task_ids)}}
    known = {task["_id"]: task async for task in db[TASKS].find(named, {"status": 1, "parentId": 1})}
    selected = {task["_id"] async for task in db[TASKS].find(selection.query(), {"_id": 1}, hint=selection.index())}
    return [
        LeftOut(task_id, TaskStatus(known[task_id]["status"]), known[task_id].get("parentId")) if task_id in known else LeftOut(task_id)
        for task_id in selection.task_ids
        if task_id not in selected
    ]


async def _groups(db: AsyncDatabase[Json], selection: Selection, fields: Json) -> AsyncIterator[list[Json]]:
    """Yield the selected tasks in groups, oldest first."""
    group: list[Json] = []
    cursor = db[TASKS].find(selection.query(), fields, hint=selection.index(), batch_size=GROUP)
    async for task in cursor.sort([("createdAt", 1), ("_id", 1)]):
        group.append(task)
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group


def _in_groups(ids: Iterable[str]) -> list[list[str]]:
    ordered = sorted(ids)
    return [ordered[start : start + GROUP] for start in range(0, len(ordered), GROUP)]


@dataclass(slots=True)
class Cancelled:
    """What a cancellation of many did.

    Attributes:
        at_once: Tasks that waited, and are CANCELLED.
        requested: Tasks that ran, and are stopped by their workers, or, if they are batches, end with their last task.
        batches: How many batches' tasks were cancelled with them.
    """

    at_once: int = 0
    requested: int = 0
    batches: int = 0


async def cancel(db: AsyncDatabase[Json], selection: Selection) -> Cancelled:
    """Cancel the selected tasks that have not ended: the waiting at once, the running by request. The tasks of a batch are cancelled with it."""
    done = Cancelled()
    parents: set[str] = set()
    retention = task_settings().retention_seconds
    async for group in _groups(db, selection, {"parentId": 1, "children.total": 1}):
        parents |= {task["_id"] for task in group if task.get("children")} | {task["parentId"] for task in group if task.get("parentId")}
        remaining = [task["_id"] for task in group]
        for _ in range(CANCEL_ROUNDS):  # between two writes a task may be claimed, released or promoted
            scope = selection.scope(remaining)
            done.at_once += await lifecycle.execute(db, lifecycle.cancel_waiting(scope, retention_seconds=retention))
            done.requested += await lifecycle.execute(db, lifecycle.request_cancel(scope))
            open_still = {"_id": {"$in": remaining}, "status": {"$in": sorted(selection.statuses & states.starts_from("cancel"))}}
            remaining = [task["_id"] async for task in db[TASKS].find(open_still, {"_id": 1}, hint="_id_")]
            if not remaining:
                break
    for ids in _in_groups(parents):
        cancelling = {"_id": {"$in": ids}, "status": TaskStatus.CANCELLING.value, "lease.owner": None, "children.total": {"$exists": True}}
        done.batches += await db[TASKS].count_documents(cancelling, hint="_id_")
        await families.roll_up(db, ids)  # cancels their tasks, and ends those that have none left; workers would do it, if there are any
    log.info("tasks_cancelled", at_once=done.at_once, requested=done.requested, batches=done.batches)
    return done


@dataclass(slots=True)
class Requeued:
    """What a requeue of many did; `unknown_types` counts the tasks left alone, by their type, because nothing here can run them."""

    requeued: int
    unknown_types: dict[str, int]


async def requeue(db: AsyncDatabase[Json], selection: Selection) -> Requeued:
    """Send the selected tasks back to the queue, oldest first; those of batches run again with their batch only."""
    selection = replace(selection, children=False)
    done = Requeued(0, {})
    shares = FairShares(db)
    async for group in _groups(db, selection, {"userId": 1, "taskType": 1}):
        by_user: dict[str, list[tuple[str, int]]] = {}
        for task in group:
            try:
                attempts = registry.get(task["taskType"]).retry.max_attempts
            except UnknownTaskType:
                done.unknown_types[task["taskType"]] = done.unknown_types.get(task["taskType"], 0) + 1
            else:
                by_user.setdefault(task["userId"], []).append((task["_id"], attempts))
        writes = []
        for user_id, tasks in by_user.items():
            first_key = (await shares.keys(user_id, len(tasks))).fair_key
            for place, (task_id, attempts) in enumerate(tasks):
                transition = lifecycle.requeue(selection.scope([task_id]), fair_key=first_key + place, extra={"maxAttempts": attempts})
                # Of one task: such a write is repeated by the driver when the reply is lost, one of many is not.
                writes.append(replace(transition, many=False).operation())
        if writes:
            done.requeued += (await db[TASKS].bulk_write(writes, ordered=False)).matched_count
    log.info("tasks_requeued", count=done.requeued)
    return done


@dataclass(slots=True)
class Purged:
    """What a purge did.

    Attributes:
        documents: How many were deleted, the tasks of batches included.
        kept: Ended batches that still have tasks to end: those were cancelled, and the next purge takes the batch.
    """

    documents: int = 0
    kept: int = 0


async def purge(db: AsyncDatabase[Json], selection: Selection) -> Purged:
    """Delete the selected tasks that have ended; a batch goes with all of its tasks."""
    done = Purged()
    async for group in _groups(db, replace(selection, children=False), {"_id": 1}):
        batch: list[str] = []
        size = 0
        for task_id, children in (await families.count_children(db, [task["_id"] for task in group])).items():
            if children.ended < children.total:
                # Without its parent nothing would ever end or delete such a child.
                await families.cancel_children(db, task_id)
                done.kept += 1
                continue
            batch.append(task_id)
            size += 1 + children.total
            if size >= GROUP:
                done.documents += await maintenance.purge(db, batch)
                batch, size = [], 0
        if batch:
            done.documents += await maintenance.purge(db, batch)
    log.info("tasks_purged", documents=done.documents, kept=done.kept)
    return done
