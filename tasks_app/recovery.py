"""Putting right what lost workers left behind, on an operator's word: their tasks, and the batches that wait for something that will not come.

Workers do the same by themselves, each second. This is for when none runs, or when somebody wants to see it done.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import families, maintenance, states
from tasks_app.bulk import GROUP
from tasks_app.documents import BATCH_LANE, LEASED_STATUS, TASKS
from tasks_app.states import TaskStatus

Json = dict[str, Any]

PREVIEW_LIMIT = 100_000
ORPHANS_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Damage:
    """What a recovery would find now.

    Attributes:
        lost: Tasks whose worker is lost, by status.
        owners: How many of them each lost worker held.
        finished_batches: Batches that end, for all of their tasks have ended, or do so by the recovery.
        orphaned_batches: Ended batches that have tasks waiting to run.
    """

    lost: dict[str, int]
    owners: dict[str, int]
    finished_batches: int
    orphaned_batches: int


@dataclass(slots=True)
class Recovered:
    """What a recovery did; `now` says what the recovered tasks are afterwards."""

    tasks: int = 0
    now: Counter[str] = field(default_factory=Counter)
    finished_batches: int = 0
    orphaned_batches: int = 0


async def preview(db: AsyncDatabase[Json], *, expired_for_seconds: float, mark_failed: bool) -> Damage:
    """Return what `recover` would find, changing nothing."""
    lost = await maintenance.find_lost(db, expired_for_seconds=expired_for_seconds, limit=PREVIEW_LIMIT)
    return Damage(
        dict(Counter(task.status for task in lost)),
        dict(Counter(task.owner for task in lost)),
        await _finished_batches(db, lost, mark_failed=mark_failed),
        await _orphaned_batches(db),
    )


async def recover(db: AsyncDatabase[Json], *, expired_for_seconds: float, mark_failed: bool) -> Recovered:
    """Recover the tasks of lost workers, then repair batches.

    Args:
        expired_for_seconds: Only leases that ran out at least that long ago.
        mark_failed: End the tasks FAILED instead of running them again.
    """
    done = Recovered()
    while lost := await maintenance.find_lost(db, expired_for_seconds=expired_for_seconds, limit=GROUP):
        ids = [task.task_id for task in lost]
        count = await maintenance.recover_lost(db, {"_id": {"$in": ids}}, mark_failed=mark_failed, expired_for_seconds=expired_for_seconds)
        done.tasks += count
        # Those without a lease: a task of which a worker was found alive after all, or which another has claimed since, is not ours to report.
        left = db[TASKS].find({"_id": {"$in": ids}, "lease": {"$exists": False}}, {"status": 1}, hint="_id_")
        done.now.update([task["status"] async for task in left])
        if not count:
            break  # others were faster; they are at it
    done.orphaned_batches = await families.cancel_children_of_ended_parents(db, limit=ORPHANS_LIMIT)
    done.finished_batches = await families.roll_up(db)
    return done


async def _finished_batches(db: AsyncDatabase[Json], lost: list[maintenance.Lost], *, mark_failed: bool) -> int:
    awaiting = {"status": LEASED_STATUS, "lease.owner": None, "children.total": {"$exists": True}}
    parents = {parent["_id"]: parent async for parent in db[TASKS].find(awaiting, {"children.total": 1, "status": 1}, hint="active")}
    recovered, ending = Counter(task.parent_id for task in lost), Counter(task.parent_id for task in lost if mark_failed or task.ends)
    count = 0
    ids = sorted(parents)
    for start in range(0, len(ids), GROUP):
        for parent_id, each in (await families.count_children(db, ids[start : start + GROUP])).items():
            if parents[parent_id]["status"] == TaskStatus.CANCELLING:  # what waits is cancelled, and so is what goes back to the queue
                ended = each.ended + recovered[parent_id] + sum(each.by_status.get(status, 0) for status in states.WAITING)
            else:
                ended = each.ended + ending[parent_id]
            count += ended == each.total >= parents[parent_id]["children"]["total"]
    return count


async def _orphaned_batches(db: AsyncDatabase[Json]) -> int:
    queued = {"status": TaskStatus.QUEUED.value, "lane": BATCH_LANE}
    parents = sorted({task["parentId"] async for task in db[TASKS].find(queued, {"parentId": 1}, hint="claim").limit(ORPHANS_LIMIT)})
    count = 0
    for start in range(0, len(parents), GROUP):
        ended = {"_id": {"$in": parents[start : start + GROUP]}, "status": {"$in": sorted(states.TERMINAL)}}
        count += await db[TASKS].count_documents(ended, hint="_id_")
    return count
