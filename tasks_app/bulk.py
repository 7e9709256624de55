"""Operations on many tasks at once, for operators: select, count, then cancel, requeue or purge in bounded groups.

Each group is read by an index, and every write repeats the selection's condition, so that these run beside workers, users and each other: a task that
has moved on meanwhile is left alone, and a second run finds nothing more to do.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.logs import get_logger
from tasks_app import families, lifecycle, maintenance, registry, search, states, tally
from tasks_app.conf import task_settings
from tasks_app.documents import TASKS
from tasks_app.errors import UnknownTaskType
from tasks_app.fairness import FairShares
from tasks_app.selection import OLDEST_FIRST, Selection
from tasks_app.states import TaskStatus

Json = dict[str, Any]

GROUP = 500
CANCEL_ROUNDS = 3

log = get_logger(__name__)


class Witness:
    """Sees each group of an operation before and after it; to raise ends the operation there. This one does neither."""

    async def before(self, task_ids: list[str]) -> None:
        """Called with a group that is about to be changed."""

    async def after(self, seen: int, changed: int) -> None:
        """Called when a group is done.

        Args:
            seen: How many tasks it had.
            changed: How many of them were changed; the others had moved on meanwhile, or may not be.
        """


NOBODY: Final = Witness()


async def count(db: AsyncDatabase[Json], selection: Selection, *, max_milliseconds: int | None = None) -> dict[TaskStatus, int]:
    """Count the selected tasks by status; those with none are left out.

    Raises:
        ExecutionTimeout: It would have taken longer than `max_milliseconds`.
    """
    stages = [{"$match": selection.query()}, {"$group": {"_id": "$status", "count": {"$sum": 1}}}]
    limit: Json = {"maxTimeMS": max_milliseconds} if max_milliseconds is not None else {}
    cursor = await db[TASKS].aggregate(stages, hint=selection.index(), **limit)
    counts = {group["_id"]: group["count"] async for group in cursor}
    return {status: counts[status] for status in TaskStatus if status in counts}


async def unknown_types(db: AsyncDatabase[Json], selection: Selection) -> dict[str, int]:
    """Count those of the selected tasks that nothing here can run, by type."""
    unknown = {"taskType": {"$nin": registry.known_types()}}
    stages = [{"$match": selection.query()}, {"$match": unknown}, {"$group": {"_id": "$taskType", "count": {"$sum": 1}}}]
    cursor = await db[TASKS].aggregate(stages, hint=selection.index())
    return {group["_id"]: group["count"] async for group in cursor}


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
    for part in (await search.complete(db, selection)).parts():
        cursor = db[TASKS].find(part.query(), fields, hint=part.index(), batch_size=GROUP)
        if part.index() != "_id_":
            cursor = cursor.sort(OLDEST_FIRST)
        async for task in cursor:
            group.append(task)
            if len(group) == GROUP:
                yield group
                group = []
    if group:
        yield group


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


async def cancel(db: AsyncDatabase[Json], selection: Selection, witness: Witness = NOBODY) -> Cancelled:
    """Cancel the selected tasks that have not ended: the waiting at once, the running by request. The tasks of a batch are cancelled with it."""
    done = Cancelled()
    counted: set[str] = set()
    retention = task_settings().retention_seconds
    async for group in _groups(db, selection, {"parentId": 1, "taskType": 1}):
        ids = remaining = [task["_id"] for task in group]
        await witness.before(ids)
        changed = 0
        for _ in range(CANCEL_ROUNDS):  # between two writes a task may be claimed, released or promoted
            scope = selection.scope(remaining)
            kinds = await tally.kinds(db, {"_id": {"$in": remaining}, "status": {"$in": sorted(states.WAITING)}}, hint="_id_")
            at_once = await lifecycle.execute(db, lifecycle.cancel_waiting(scope, retention_seconds=retention))
            if at_once:
                await tally.record(db, tally.alike(kinds, TaskStatus.CANCELLED, at_most=at_once))
            requested = await lifecycle.execute(db, lifecycle.request_cancel(scope))
            done.at_once += at_once
            done.requested += requested
            changed += at_once + requested
            open_still = {"_id": {"$in": remaining}, "status": {"$in": sorted(selection.possible_statuses & states.starts_from("cancel"))}}
            remaining = [task["_id"] async for task in db[TASKS].find(open_still, {"_id": 1}, hint="_id_")]
            if not remaining:
                break
        parents = {task["_id"] for task in group if registry.fans_out(task["taskType"])} | {task["parentId"] for task in group if task.get("parentId")}
        if parents:
            done.batches += await _cancel_families(db, sorted(parents), sorted(parents - counted))
            counted |= parents
        await witness.after(len(ids), changed)
    log.info("tasks_cancelled", at_once=done.at_once, requested=done.requested, batches=done.batches)
    return done


async def _cancel_families(db: AsyncDatabase[Json], parent_ids: list[str], uncounted: list[str]) -> int:
    cancelling = {"_id": {"$in": uncounted}, "status": TaskStatus.CANCELLING.value, "lease.owner": None, "children.total": {"$exists": True}}
    count = await db[TASKS].count_documents(cancelling, hint="_id_")
    await families.roll_up(db, parent_ids)  # cancels their tasks, and ends those that have none left; workers would do it, if there are any
    return count


@dataclass(slots=True)
class Requeued:
    """What a requeue of many did; `unknown_types` counts the tasks left alone, by their type, because nothing here can run them."""

    requeued: int
    unknown_types: dict[str, int]


async def requeue(db: AsyncDatabase[Json], selection: Selection, witness: Witness = NOBODY, *, priority: int | None = None) -> Requeued:
    """Send the selected tasks back to the queue, oldest first; those of batches run again with their batch only.

    Args:
        priority: Their priority from now on; None keeps each one's.
    """
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
        await witness.before([task_id for tasks in by_user.values() for task_id, _ in tasks])
        writes = []
        for user_id, tasks in by_user.items():
            first_key = (await shares.keys(user_id, len(tasks))).fair_key
            for place, (task_id, attempts) in enumerate(tasks):
                transition = lifecycle.requeue(selection.scope([task_id]), fair_key=first_key + place, priority=priority, extra={"maxAttempts": attempts})
                # Of one task: such a write is repeated by the driver when the reply is lost, one of many is not.
                writes.append(replace(transition, many=False).operation())
        changed = (await db[TASKS].bulk_write(writes, ordered=False)).matched_count if writes else 0
        done.requeued += changed
        await _keep_children(db, [task["_id"] for task in group if registry.fans_out(task["taskType"])])
        await witness.after(len(group), changed)
    log.info("tasks_requeued", count=done.requeued)
    return done


async def _keep_children(db: AsyncDatabase[Json], parent_ids: list[str]) -> None:
    """Take the end of retention from the children of those that were requeued: until they plant again, what is finished must not be deleted."""
    requeued = {"_id": {"$in": parent_ids}, "status": {"$in": sorted(states.UNFINISHED)}}
    for parent_id in [doc["_id"] async for doc in db[TASKS].find(requeued, {"_id": 1}, hint="_id_")] if parent_ids else []:
        await lifecycle.execute(db, lifecycle.keep_children(parent_id))


@dataclass(slots=True)
class Purged:
    """What a purge did.

    Attributes:
        documents: How many were deleted, the tasks of batches included.
        kept: Ended batches that still have tasks to end: those were cancelled, and the next purge takes the batch.
    """

    documents: int = 0
    kept: int = 0


async def purge(db: AsyncDatabase[Json], selection: Selection, witness: Witness = NOBODY) -> Purged:
    """Delete the selected tasks that have ended; a batch goes with all of its tasks."""
    done = Purged()
    async for group in _groups(db, replace(selection, children=False), {"_id": 1}):
        ids = [task["_id"] for task in group]
        scope = selection.scope(ids)  # to delete a group of batches takes a while, in which others may be run again and end anew
        await witness.before(ids)
        batch: list[str] = []
        size = 0
        for task_id, children in (await families.count_children(db, ids)).items():
            if children.ended < children.total:
                # Without its parent nothing would ever end or delete such a child.
                await families.end_with_parents(db, [task_id])  # if it has not been run again meanwhile
                done.kept += 1
                continue
            batch.append(task_id)
            size += 1 + children.total
            if size >= GROUP:
                done.documents += await maintenance.purge(db, batch, scope)
                batch, size = [], 0
        if batch:
            done.documents += await maintenance.purge(db, batch, scope)
        left = await db[TASKS].count_documents({"_id": {"$in": ids}}, hint="_id_")
        await witness.after(len(ids), len(ids) - left)
    log.info("tasks_purged", documents=done.documents, kept=done.kept)
    return done
