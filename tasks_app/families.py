"""Parents and their children: planting a batch's children, counting them, and ending the parent when they have ended."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from ainoval import mongo
from ainoval.ids import derived_id
from ainoval.logs import get_logger
from tasks_app import lifecycle, registry, states, tally
from tasks_app.conf import CHILDREN_OUTLIVE, task_settings
from tasks_app.documents import BATCH_LANE, LEASED_STATUS, TASKS, new_task
from tasks_app.errors import RetryLater, UnknownTaskType
from tasks_app.executable import ChildOutcome, ChildTask, Services
from tasks_app.fairness import FairShares
from tasks_app.outcomes import ErrorRecord, describe
from tasks_app.states import TaskStatus
from tasks_app.tally import Ending

Json = dict[str, Any]

INSERT_GROUP = 500
SWEEP_GROUP = 200
STOPPING_DELAY = timedelta(seconds=1)
COLLECT_SECONDS = 30.0

log = get_logger(__name__)

_failures = frozenset({TaskStatus.FAILED, TaskStatus.INTERRUPTED})


def child_id(parent_id: str, key: str) -> str:
    """Return the id of a parent's child for `key`: the same each time, so that a repeated fan-out inserts nothing twice."""
    return derived_id("child", parent_id, key)


async def plant(db: AsyncDatabase[Json], parent: Json, children: Sequence[ChildTask], services: Services) -> int:
    """Store a parent's children, and send those of an earlier life that did not complete back to work; return how many there are in all.

    Raises:
        RetryLater: Some of an earlier life are still being stopped.
    """
    tasks = db[TASKS]
    generation = parent.get("generation", 0)
    if generation:
        await _refuse_while_children_stop(db, parent["_id"], generation)
    ticket = await FairShares(db).keys(parent["userId"], max(len(children), 1))
    documents = []
    for index, child in enumerate(children):
        executable = registry.get(child.task_type)
        documents.append(
            new_task(
                task_id=child_id(parent["_id"], child.key),
                user_id=parent["userId"],
                task_type=executable.task_type,
                parameters=child.parameters.model_dump(mode="json", by_alias=True),
                now=ticket.at,
                fair_key=ticket.fair_key + index,
                priority=parent["priority"],
                max_attempts=executable.retry.max_attempts,
                resource=executable.resource(child.parameters, services),
                parent_id=parent["_id"],
                generation=generation,
            )
        )
    for start in range(0, len(documents), INSERT_GROUP):
        try:
            await tasks.insert_many(documents[start : start + INSERT_GROUP], ordered=False)
        except BulkWriteError as exc:
            if exc.details.get("writeConcernErrors") or any(error["code"] != mongo.DUPLICATE_KEY for error in exc.details["writeErrors"]):
                raise
    if generation:
        await lifecycle.execute(db, lifecycle.keep_children(parent["_id"]))
        await _run_again(db, parent["_id"], {document["_id"]: document for document in documents}, generation)
    return await tasks.count_documents({"parentId": parent["_id"]})


async def _refuse_while_children_stop(db: AsyncDatabase[Json], parent_id: str, generation: int) -> None:
    # They will be CANCELLED, and what has not ended yet cannot be sent back to work.
    stopping = {"parentId": parent_id, "status": TaskStatus.CANCELLING.value, "generation": {"$lt": generation}}
    if await db[TASKS].find_one(stopping, {"_id": 1}, hint="family"):
        raise RetryLater(STOPPING_DELAY, "Tasks of this batch are still being stopped.")


async def _run_again(db: AsyncDatabase[Json], parent_id: str, planned: dict[str, Json], generation: int) -> None:
    """Requeue the children of an earlier life that did not complete and are planned again, with what their parent plans for them now."""
    older = {"parentId": parent_id, "status": {"$in": sorted(states.REQUEUEABLE)}, "generation": {"$lt": generation}}
    writes = []
    async for child in db[TASKS].find(older, {"parameters": 1}, hint="family"):
        if (plan := planned.get(child["_id"])) is None:
            continue
        extra = {"generation": generation, "priority": plan["priority"], "maxAttempts": plan["maxAttempts"], "resource": {"$literal": plan.get("resource")}}
        # The same parameters keep a draft that was paid for.
        edited = plan["parameters"] if plan["parameters"] != child["parameters"] else None
        scope = {"_id": child["_id"], "generation": {"$lt": generation}}
        again = lifecycle.requeue(scope, fair_key=plan["fairKey"], parameters=edited, extra=extra)
        writes.append(replace(again, many=False).operation())
    for start in range(0, len(writes), INSERT_GROUP):
        await db[TASKS].bulk_write(writes[start : start + INSERT_GROUP], ordered=False)


@dataclass(frozen=True, slots=True)
class ChildCounts:
    """How many children are in each state."""

    total: int
    by_status: dict[str, int]

    @property
    def ended(self) -> int:
        """How many have ended."""
        return sum(count for status, count in self.by_status.items() if TaskStatus(status).is_terminal)


async def count_children(db: AsyncDatabase[Json], parent_ids: Iterable[str]) -> dict[str, ChildCounts]:
    """Count the children of several parents by state, from the index alone."""
    counted: dict[str, Counter[str]] = {parent_id: Counter() for parent_id in parent_ids}
    cursor = await db[TASKS].aggregate(
        [
            {"$match": {"parentId": {"$in": list(counted)}}},
            {"$group": {"_id": {"parentId": "$parentId", "status": "$status"}, "count": {"$sum": 1}}},
        ],
        hint="family",
    )
    async for group in cursor:
        counted[group["_id"]["parentId"]][group["_id"]["status"]] = group["count"]
    return {parent_id: ChildCounts(counts.total(), dict(counts)) for parent_id, counts in counted.items()}


async def roll_up(db: AsyncDatabase[Json], parent_ids: Sequence[str] | None = None) -> int:
    """Bring parents up to date with their children, and end those whose children have all ended.

    Args:
        parent_ids: Which; None for all that await children. Of those that are named and have ended, or are gone, the children are ended, too.

    Returns:
        How many parents ended.
    """
    query: Json = {"status": LEASED_STATUS, "lease.owner": None, "children.total": {"$exists": True}}
    if parent_ids is not None:
        query["_id"] = {"$in": list(parent_ids)}
        await end_with_parents(db, parent_ids)
    fields = {
        "taskType": 1,
        "status": 1,
        "parameters": 1,
        "generation": 1,
        "children": 1,
        "progress": 1,
        "attempt": 1,
        "startedAt": 1,
        "now": "$$NOW",
    }
    hint = None if parent_ids is not None else "active"
    parents = await db[TASKS].find(query, fields, hint=hint).to_list(None)
    ended = 0
    for start in range(0, len(parents), SWEEP_GROUP):
        group = parents[start : start + SWEEP_GROUP]
        counts = await count_children(db, [parent["_id"] for parent in group])
        for parent in group:
            try:
                ended += await _bring_up_to_date(db, parent, counts[parent["_id"]])
            except Exception as exc:
                if mongo.is_unavailable(exc):
                    raise
                log.exception("batch_left", task_id=parent["_id"], task_type=parent["taskType"])  # one must not hold up the others
    return ended


async def _bring_up_to_date(db: AsyncDatabase[Json], parent: Json, counts: ChildCounts) -> bool:
    if parent["status"] == TaskStatus.CANCELLING.value and counts.ended < counts.total:
        await cancel_children(db, parent["_id"])
        counts = (await count_children(db, [parent["_id"]]))[parent["_id"]]
    if counts.ended == counts.total and counts.total >= parent["children"]["total"]:
        return await _finish(db, parent, counts)
    if counts.ended != parent["progress"].get("current"):
        transition = lifecycle.roll_up(parent["_id"], parent.get("generation", 0), current=counts.ended, total=counts.total, now=parent["now"])
        await lifecycle.execute(db, transition)
    return False


async def cancel_children(db: AsyncDatabase[Json], parent_id: str, *, generation: int | None = None) -> None:
    """Cancel what has not ended of a parent's children: the waiting at once, the running by request.

    Args:
        generation: Those of this life of the parent and earlier ones; None for all.
    """
    scope: Json = {"parentId": parent_id}
    if generation is not None:
        scope["generation"] = {"$lte": generation}
    waiting = {**scope, "status": {"$in": sorted(states.WAITING)}}
    kinds = await tally.kinds(db, waiting, hint="family")
    cancelled = await lifecycle.execute(db, lifecycle.cancel_waiting(scope, retention_seconds=task_settings().retention_seconds))
    if cancelled:
        await tally.record(db, tally.alike(kinds, TaskStatus.CANCELLED, at_most=cancelled))
    await lifecycle.execute(db, lifecycle.request_cancel(scope))


async def end_with_parents(db: AsyncDatabase[Json], parent_ids: Sequence[str]) -> None:
    """End the children of parents that did not await their end: lost or failed while they planted, cancelled before they planted again, or deleted."""
    found = {doc["_id"]: doc async for doc in db[TASKS].find({"_id": {"$in": list(parent_ids)}}, {"status": 1, "expireAt": 1, "generation": 1}, hint="_id_")}
    retention = timedelta(seconds=task_settings().retention_seconds)
    for parent_id in parent_ids:
        parent = found.get(parent_id)
        if parent is not None and not TaskStatus(parent["status"]).is_terminal:
            continue
        # By the time of the write it may have been requeued, and have planted again: the children of that life are not meant.
        await cancel_children(db, parent_id, generation=(parent or {}).get("generation"))
        expire_at = (parent or {}).get("expireAt") or datetime.now(UTC) + retention
        await lifecycle.execute(db, lifecycle.keep_children_until(parent_id, expire_at + CHILDREN_OUTLIVE))


async def cancel_children_of_ended_parents(db: AsyncDatabase[Json], *, limit: int = 1_000) -> int:
    """Cancel queued children whose parent has ended (it was lost for the third time while it planted them); return how many parents had such."""
    queued = {"status": TaskStatus.QUEUED.value, "lane": BATCH_LANE}
    waiting = {doc["parentId"] async for doc in db[TASKS].find(queued, {"parentId": 1}, hint="claim").limit(limit)}
    ended = db[TASKS].find({"_id": {"$in": sorted(waiting)}, "status": {"$in": sorted(states.TERMINAL)}}, {"_id": 1})
    ids = [parent["_id"] async for parent in ended]
    await end_with_parents(db, ids)
    return len(ids)


def ended_status(counts: ChildCounts) -> TaskStatus:
    """Return how a parent ends whose children have all ended."""
    failed = sum(counts.by_status.get(status, 0) for status in _failures)
    if not failed:
        return TaskStatus.COMPLETED
    return TaskStatus.FAILED if failed == counts.total else TaskStatus.COMPLETED_WITH_ERRORS


async def _finish(db: AsyncDatabase[Json], parent: Json, counts: ChildCounts) -> bool:
    status = TaskStatus.CANCELLED if parent["status"] == TaskStatus.CANCELLING.value else ended_status(counts)
    error = None
    if status is TaskStatus.FAILED:
        error = ErrorRecord(
            "all_children_failed",
            f"All {counts.total} tasks of this batch failed.",
            {"failed": counts.total},
            retryable=True,
        )
    outcomes = await _outcomes(db, parent["_id"])
    result: Json | None = None
    try:
        # In a thread: it may be about thousands of children, and a batch counts no losses. One that blocks the loop would end every worker again and again.
        result = await asyncio.wait_for(asyncio.to_thread(_collected, parent, outcomes), COLLECT_SECONDS)
    except UnknownTaskType:
        return False  # a worker that knows the type ends it
    except Exception as exc:
        log.exception("collect_failed", task_id=parent["_id"], task_type=parent["taskType"])
        status = TaskStatus.CANCELLED if status is TaskStatus.CANCELLED else TaskStatus.FAILED
        error = None if status is TaskStatus.CANCELLED else _described(exc)
    now: datetime = parent["now"]
    expire_at = now + timedelta(seconds=task_settings().retention_seconds)
    # First the children: if this process dies in between, the parent is still unfinished, and both are repeated.
    await lifecycle.execute(db, lifecycle.keep_children_until(parent["_id"], expire_at + CHILDREN_OUTLIVE))
    transition = lifecycle.finish_parent(parent, status=status, total=counts.total, now=now, expire_at=expire_at, result=result, error=error)
    won = await lifecycle.execute(db, transition) == 1
    if won:
        log.info("batch_ended", task_id=parent["_id"], task_type=parent["taskType"], status=status.value, **counts.by_status)
        took = (now - parent["startedAt"]).total_seconds() if status is not TaskStatus.CANCELLED else None
        await tally.record(db, [Ending(parent["taskType"], None, status, code=error.code if error else None, run_seconds=took)])
    return won


def _described(error: BaseException) -> ErrorRecord:
    """Put what a type's `collect` raised into words that can be stored, whatever it was: the batch must end."""
    try:
        record = describe(error)
        bson.encode(asdict(record))
    except Exception as exc:
        return describe(RuntimeError(f"{type(exc).__name__} while the batch's failure was described"))
    return record


async def _outcomes(db: AsyncDatabase[Json], parent_id: str) -> list[ChildOutcome]:
    fields = {
        "status": 1,
        "parameters": 1,
        "result.skipped": 1,
        "result.conflict": 1,
        "result.applied": 1,
        "errorInfo": 1,
    }
    cursor = db[TASKS].find({"parentId": parent_id}, fields).sort([("createdAt", 1), ("fairKey", 1)])
    return [ChildOutcome(TaskStatus(doc["status"]), doc["parameters"], doc.get("result") or {}, doc.get("errorInfo")) async for doc in cursor]


def _collected(parent: Json, outcomes: Sequence[ChildOutcome]) -> Json:
    """Return a batch's result as it is stored.

    Raises:
        UnknownTaskType: Not a type of this process.
        PermanentFailure: The stored parameters fit this version of the type no more, or the result cannot be stored.
        Exception: What the type's own `collect` raises.
    """
    executable = registry.get(parent["taskType"])
    try:
        result = executable.collect(registry.stored_parameters(executable, parent["parameters"]), outcomes)
    except (StopIteration, SystemExit) as exc:
        # A future refuses the one and would never be done; the other would end every worker, one after the other.
        raise RuntimeError(f"collect() raised {type(exc).__name__}") from exc
    return lifecycle.storable_document(lambda: result.model_dump(mode="json", by_alias=True), "result")[0]
