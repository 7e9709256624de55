"""Sweeps that any process may run, as often as it likes: each repeats its condition inside the write."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.logs import get_logger
from tasks_app import families, lifecycle, registry, states, tally
from tasks_app.conf import MAX_LOSSES, task_settings
from tasks_app.documents import CLAIM_ORDER, LANES, LEASED_STATUS, TASKS, WORKERS
from tasks_app.states import TaskStatus

Json = dict[str, Any]

RECOVER_GROUP = 1_000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chores:
    """What there is to do for the tasks of all workers."""

    claims: bool  # a queued task is due
    retries: bool  # the delay of a RETRYING task is over
    losses: bool  # a lease has run out
    families: bool  # parents await children


def chores_pipeline(now: datetime) -> list[Json]:
    """Return the search of `chores`, for the index `active`: one document for each kind of work that there is, named in `_id`.

    Each search is a few steps in an index, however many tasks are running: the first key of each lease owner is the lease that runs out first.
    """
    leased = {"status": LEASED_STATUS, "lease.owner": {"$gt": ""}, "lease.expiresAt": {"$lt": now}}
    parents = {"status": LEASED_STATUS, "lease.owner": None}
    by_lease = {"status": 1, "lease.owner": 1, "lease.expiresAt": 1}  # as `active` is ordered
    queued: Json = {"status": TaskStatus.QUEUED.value, "lane": {"$in": LANES}, "$expr": {"$lte": ["$availableAt", "$$NOW"]}}
    return [
        *_any("losses", leased, by_lease),
        _or_any("families", parents, by_lease),
        _or_any("claims", queued, CLAIM_ORDER),
        _or_any("retries", lifecycle.promote().filter, by_lease | {"availableAt": 1}),
    ]


def _any(name: str, search: Json, order: Json) -> list[Json]:
    return [{"$match": search}, {"$sort": order}, {"$limit": 1}, {"$project": {"_id": {"$literal": name}}}]


def _or_any(name: str, search: Json, order: Json) -> Json:
    # The order tells the server which index is meant: the hint reaches the first search only.
    return {"$unionWith": {"coll": TASKS, "pipeline": _any(name, search, order)}}


async def chores(db: AsyncDatabase[Json], now: datetime) -> Chores:
    """Look what there is to do, by one command where each duty would need its own: what an idle worker costs is the number of its commands.

    For waking who does it, not for deciding: each repeats its condition.

    Args:
        now: The server's time, about. (Compared with `$$NOW`, leases could not be found by index.)
    """
    found = {kind["_id"] async for kind in await db[TASKS].aggregate(chores_pipeline(now), hint="active")}
    return Chores(**{name: name in found for name in Chores.__slots__})


async def recover_lost(db: AsyncDatabase[Json], scope: Json | None = None, *, mark_failed: bool = False, expired_for_seconds: float = 0.0) -> int:
    """Recover the tasks whose lease has run out; return how many.

    Args:
        scope: Which tasks; None for all.
        mark_failed: End them FAILED instead of running them again.
        expired_for_seconds: Only leases that ran out at least that long ago.
    """
    scope = scope or {}

    def transition(scope: Json) -> lifecycle.Transition:
        return lifecycle.recover(
            scope,
            run_once_types=registry.run_once_types(),
            retention_seconds=task_settings().retention_seconds,
            mark_failed=mark_failed,
            expired_for_seconds=expired_for_seconds,
        )

    total = 0
    fields = {"taskType": 1, "resource": 1, "status": 1, "parentId": 1}
    index = "_id_" if "_id" in scope else "active"
    while lost := await db[TASKS].find(transition(scope).filter, fields, hint=index).limit(RECOVER_GROUP).to_list(None):
        # Which they were is known beforehand only; whether they are lost is judged once more, inside the update.
        recovered = await lifecycle.execute(db, transition({"_id": {"$in": [task["_id"] for task in lost]}}))
        total += recovered
        if recovered:
            await _count_recovered(db, lost, recovered)
            # Of children, too: one whose parent has ended before it is kept as long as that says.
            parents = {task["_id"] for task in lost if registry.fans_out(task["taskType"])} | {task["parentId"] for task in lost if task.get("parentId")}
            await families.end_with_parents(db, sorted(parents))
        if not recovered or len(lost) < RECOVER_GROUP:
            break
    if total:
        log.warning("tasks_recovered", count=total)
    return total


async def _count_recovered(db: AsyncDatabase[Json], lost: list[Json], recovered: int) -> None:
    running = tally.kinds_of(task for task in lost if task["status"] == TaskStatus.RUNNING)
    endings = [tally.Ending(*kind, status=None, count=count, code="worker_lost", lost=True) for kind, count in running.items()]
    ids = [task["_id"] for task in lost]
    for status in (TaskStatus.INTERRUPTED, TaskStatus.FAILED, TaskStatus.CANCELLED):
        kinds = await tally.kinds(db, {"_id": {"$in": ids}, "status": status.value}, hint="_id_")
        endings += tally.alike(kinds, status, at_most=recovered)
        recovered -= min(kinds.total(), recovered)
    await tally.record(db, endings)


async def recover_worker(db: AsyncDatabase[Json], owner: str) -> int:
    """Recover at once what a worker held that is known to be dead (its sentinel has reaped it); return how many tasks."""
    await lifecycle.execute(db, lifecycle.expire_leases_of(owner))
    recovered = await recover_lost(db, {"lease.owner": owner})
    await db[WORKERS].delete_one({"_id": owner})
    return recovered


@dataclass(frozen=True, slots=True)
class Lost:
    """A task whose lease has run out, as it was read: for showing, not for deciding.

    Attributes:
        ends: Whether a recovery ends it, and does not run it again.
    """

    task_id: str
    task_type: str
    status: str
    owner: str
    parent_id: str | None = None
    ends: bool = False


async def find_lost(db: AsyncDatabase[Json], *, expired_for_seconds: float = 0.0, limit: int = 1_000) -> list[Lost]:
    """Return tasks that a recovery would take up now."""
    query = lifecycle.recover({}, run_once_types=[], retention_seconds=0, expired_for_seconds=expired_for_seconds).filter
    fields = {"taskType": 1, "status": 1, "lease.owner": 1, "parentId": 1, "crashCount": 1}
    cursor = db[TASKS].find(query, fields, hint="active").limit(limit)
    run_once = registry.run_once_types()

    def ends(doc: Json) -> bool:
        return doc["status"] == TaskStatus.CANCELLING or doc["taskType"] in run_once or doc.get("crashCount", 0) + 1 >= MAX_LOSSES

    return [Lost(doc["_id"], doc["taskType"], doc["status"], doc["lease"]["owner"], doc.get("parentId"), ends(doc)) async for doc in cursor]


async def purge(db: AsyncDatabase[Json], task_ids: list[str], scope: Json | None = None) -> int:
    """Delete ended tasks with their whole families; return how many documents went.

    Args:
        scope: What must still be so of a task; None for nothing but its end.
    """
    ended = {"status": {"$in": sorted(states.TERMINAL)}}
    deleted = await db[TASKS].delete_many({**(scope or {}), "_id": {"$in": task_ids}, **ended})
    left = {doc["_id"] async for doc in db[TASKS].find({"_id": {"$in": task_ids}}, {"_id": 1})}
    # Children after their parent: a requeue in between finds no parent, and never one whose finished children are gone and would be paid for again.
    # If this process dies here, their own end of retention takes them.
    gone = [task_id for task_id in task_ids if task_id not in left]
    children = await db[TASKS].delete_many({"parentId": {"$in": gone}, **ended}, hint="family")
    return children.deleted_count + deleted.deleted_count
