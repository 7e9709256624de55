"""Stored tasks in every state, made by the core's own transitions: no test types out a status or a lease by hand."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.ids import new_id
from tasks_app import lifecycle, states
from tasks_app.documents import TASKS, new_task
from tasks_app.lifecycle import AttemptRecord, Transition
from tasks_app.outcomes import ErrorRecord
from tasks_app.states import TaskStatus

Json = dict[str, Any]
Db = AsyncDatabase[Json]

ALICE, BOB, CAROL = "alice", "bob", "carol"
OWNER = "host:cluster:worker"
BROKEN = ErrorRecord("it_broke", "It broke.", {"part": "left"}, retryable=True, traceback="Traceback: it broke")
RETENTION = 1_000.0

_tokens = count(1)
_fair_keys = count(1)


def now() -> datetime:
    """This moment, in BSON's precision."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def task(user: str = ALICE, task_type: str = "TEST_NOOP", **fields: Any) -> Json:
    """A QUEUED task as a submission stores it; `fields` by their stored names override the rest."""
    arguments = {name: fields.pop(name) for name in ("resource", "parent_id", "generation", "idempotency_key", "submission") if name in fields}
    made = new_task(
        task_id=fields.pop("_id", None) or new_id(),
        user_id=user,
        task_type=task_type,
        parameters=fields.pop("parameters", {}),
        now=fields.pop("createdAt", None) or now() - timedelta(seconds=1),
        fair_key=fields.pop("fairKey", float(next(_fair_keys))),
        priority=fields.pop("priority", 0),
        max_attempts=fields.pop("maxAttempts", 3),
        **arguments,
    )
    return made | fields


async def queued(db: Db, user: str = ALICE, task_type: str = "TEST_NOOP", **fields: Any) -> Json:
    """Store a QUEUED task."""
    document = task(user, task_type, **fields)
    await db[TASKS].insert_one(document)
    return document


async def read(db: Db, task_id: str) -> Json:
    """Return the task as it is stored now."""
    document = await db[TASKS].find_one({"_id": task_id})
    assert document is not None
    return document


async def change(db: Db, transition: Transition) -> int:
    """Execute a transition."""
    return await lifecycle.execute(db, transition)


async def claimed(db: Db, document: Json, *, owner: str = OWNER, lease_seconds: float = 30.0) -> Json:
    """Claim a stored QUEUED task; a negative lease has run out already."""
    transition = lifecycle.claim([document["_id"]], owner=owner, token=f"token-{next(_tokens)}", lease_seconds=lease_seconds)
    assert await change(db, transition) == 1
    return await read(db, document["_id"])


async def running(db: Db, user: str = ALICE, task_type: str = "TEST_NOOP", *, owner: str = OWNER, lease_seconds: float = 30.0, **fields: Any) -> Json:
    """Store a task and claim it."""
    return await claimed(db, await queued(db, user, task_type, **fields), owner=owner, lease_seconds=lease_seconds)


async def cancelling(db: Db, **fields: Any) -> Json:
    """A running task whose cancellation was asked for."""
    document = await running(db, **fields)
    assert await change(db, lifecycle.request_cancel({"_id": document["_id"]})) == 1
    return await read(db, document["_id"])


def record(document: Json, *, token: str | None = None, ended_at: datetime | None = None, **usage: int) -> AttemptRecord:
    """The attempt that holds this task now, as its worker would record it."""
    lease = document.get("lease") or {}
    return AttemptRecord(document["attempt"], token or lease.get("token", "none"), document["startedAt"] or now(), ended_at or now(), OWNER, **usage)


def complete(document: Json, *, token: str | None = None, result: Json | None = None) -> Transition:
    """RUNNING -> COMPLETED."""
    return lifecycle.complete(
        document["_id"],
        record(document, token=token),
        result={"answer": 42} if result is None else result,
        progress={"percentage": 60, "message": "nearly", "current": 3, "total": 5},
        expire_at=now() + timedelta(days=30),
    )


def fail(document: Json, *, token: str | None = None) -> Transition:
    """RUNNING -> FAILED."""
    return lifecycle.fail(document["_id"], record(document, token=token), BROKEN, progress=dict(lifecycle.NO_PROGRESS), expire_at=now() + timedelta(days=30))


def retry(document: Json, *, token: str | None = None, delay: float = 60.0, burns_attempt: bool = True, waited: float = 0.0) -> Transition:
    """RUNNING -> RETRYING."""
    return lifecycle.retry(
        document["_id"],
        record(document, token=token),
        BROKEN,
        progress=dict(lifecycle.NO_PROGRESS),
        available_at=now() + timedelta(seconds=delay),
        waited_seconds=waited,
        burns_attempt=burns_attempt,
    )


def confirm_cancel(document: Json, *, token: str | None = None) -> Transition:
    """CANCELLING -> CANCELLED."""
    return lifecycle.confirm_cancel(document["_id"], record(document, token=token), progress=dict(lifecycle.NO_PROGRESS), expire_at=now() + timedelta(days=30))


def release(document: Json, *, token: str | None = None) -> Transition:
    """RUNNING -> QUEUED."""
    return lifecycle.release(document["_id"], record(document, token=token))


def recover(scope: Json | None = None, **options: Any) -> Transition:
    """What a sweep does."""
    return lifecycle.recover(scope or {}, **({"run_once_types": [], "retention_seconds": RETENTION} | options))


async def awaiting(db: Db, *, total: int = 0, user: str = ALICE, task_type: str = "TEST_FAMILY", **fields: Any) -> Json:
    """A parent that has planted its children and holds no lease."""
    document = await running(db, user, task_type, **fields)
    assert await change(db, lifecycle.await_children(document["_id"], record(document), total=total)) == 1
    return await read(db, document["_id"])


async def in_state(db: Db, status: TaskStatus, **fields: Any) -> Json:
    """Store a task and take it, by transitions alone, to any state."""
    match status:
        case TaskStatus.QUEUED:
            return await queued(db, **fields)
        case TaskStatus.RUNNING:
            return await running(db, **fields)
        case TaskStatus.CANCELLING:
            return await cancelling(db, **fields)
        case TaskStatus.COMPLETED_WITH_ERRORS:
            parent = await awaiting(db, **fields)
            moment = now()
            end = lifecycle.finish_parent(
                parent, status=status, total=0, now=moment, expire_at=moment + timedelta(days=30), result={"completed": 0, "other": 0}
            )
            assert await change(db, end) == 1
            return await read(db, parent["_id"])
    if status is TaskStatus.CANCELLED:
        document = await cancelling(db, **fields)
        way = confirm_cancel(document)
    elif status is TaskStatus.INTERRUPTED:
        document = await running(db, lease_seconds=-1.0, crashCount=2, **fields)
        way = recover({"_id": document["_id"]})
    else:
        document = await running(db, **fields)
        way = {TaskStatus.RETRYING: retry, TaskStatus.FAILED: fail, TaskStatus.COMPLETED: complete}[status](document)
    assert await change(db, way) == 1
    document = await read(db, document["_id"])
    assert document["status"] == status
    return document


async def end_child(db: Db, document: Json, status: TaskStatus) -> None:
    """Take a stored QUEUED child to an end."""
    if status is TaskStatus.CANCELLED:
        assert await change(db, lifecycle.cancel_waiting({"_id": document["_id"]}, retention_seconds=RETENTION)) == 1
        return
    held = await claimed(db, document, lease_seconds=-1.0)
    if status is TaskStatus.INTERRUPTED:
        assert await change(db, recover({"_id": held["_id"]}, run_once_types=[held["taskType"]])) == 1
        return
    assert await change(db, {TaskStatus.COMPLETED: complete, TaskStatus.FAILED: fail}[status](held)) == 1


ENDED = sorted(states.TERMINAL)
