"""Stored tasks in a chosen state, as if they had lived up to it: for tests that begin in the middle of a task's life.

    task = await stored_task(db, status=TaskStatus.FAILED, user_id=alice_id, age=timedelta(days=8))
    lost = await stored_task(db, status=TaskStatus.RUNNING, lease_seconds=-60)          # its worker is gone
    batch, children = await stored_batch(db, [TaskStatus.COMPLETED, TaskStatus.FAILED])  # a parent that awaits them

They are written raw: a test says what is stored, and sees what the code makes of it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.ids import new_id
from tasks_app.documents import TASKS, new_task
from tasks_app.states import LEASED, TaskStatus

Json = dict[str, Any]

ALICE_ID = "a11ce000-0000-4000-8000-000000000000"
WORKER = "host:cluster:worker"
NOW = timedelta(0)


def task_document(
    *,
    status: TaskStatus = TaskStatus.QUEUED,
    user_id: str = ALICE_ID,
    task_type: str = "GENERATE_SUMMARY",
    parameters: Json | None = None,
    parent_id: str | None = None,
    age: timedelta = NOW,
    lease_seconds: float = 60.0,
    **fields: Any,
) -> Json:
    """Return a task in a state, with the fields that belong to the state.

    Args:
        parent_id: Makes it a batch's child.
        age: How long ago it was submitted; one that has ended did so a second later.
        lease_seconds: Of RUNNING and CANCELLING: when the lease runs out, from now; negative is long enough ago to be recovered.
        fields: Any stored fields instead (`attempt=2`, `crashCount=1`, `lease=None` leaves it out).
    """
    now = datetime.now(UTC)
    began = now - age
    document = new_task(
        task_id=new_id(),
        user_id=user_id,
        task_type=task_type,
        parameters=parameters if parameters is not None else {"sceneId": new_id()},
        now=began,
        fair_key=1.0,
        priority=0,
        max_attempts=5,
        parent_id=parent_id,
    )
    document["status"] = status.value
    if status is not TaskStatus.QUEUED:
        document |= {"attempt": 1, "startedAt": document["createdAt"]}
    if status in LEASED:
        document["lease"] = {"owner": WORKER, "token": new_id(), "expiresAt": now + timedelta(seconds=lease_seconds)}
    if status is TaskStatus.RETRYING:
        document |= {"availableAt": now + timedelta(hours=1), "wait": {"code": "backoff", "message": "The AI provider is overloaded."}}
    if status is TaskStatus.CANCELLING:
        document["cancelRequestedAt"] = document["createdAt"]
    if status in (TaskStatus.FAILED, TaskStatus.INTERRUPTED, TaskStatus.RETRYING):
        document["errorInfo"] = {"code": "provider_unavailable", "message": "502", "details": {}, "retryable": True, "retryCount": 0}
    if status.is_terminal:
        ended = document["createdAt"] + min(timedelta(seconds=1), age)
        document |= {"completedAt": ended, "updatedAt": ended}
        if parent_id is None:
            document["expireAt"] = now + timedelta(days=30)
    document |= fields
    return {name: value for name, value in document.items() if (name, value) != ("lease", None)}


async def stored_task(db: AsyncDatabase[Json], **fields: Any) -> Json:
    """Store a task in a state (see `task_document`) and return its document."""
    document = task_document(**fields)
    await db[TASKS].insert_one(document)
    return document


async def stored_batch(
    db: AsyncDatabase[Json],
    children: Sequence[TaskStatus],
    *,
    status: TaskStatus = TaskStatus.RUNNING,
    **fields: Any,
) -> tuple[Json, list[Json]]:
    """Store a batch that has planted its children, and those, in their states.

    Args:
        status: Of the parent; RUNNING and CANCELLING await the children, without a lease.
        fields: Of the parent (`user_id`, `age`, …); its children get the same user and age.

    Returns:
        The parent's document and the children's.
    """
    scene_ids = [new_id() for _ in children]
    parameters = {"novelId": new_id(), "sceneIds": scene_ids, "autoApply": True, "overwriteExisting": False}
    parent = task_document(status=status, task_type="BATCH_GENERATE_SUMMARY", parameters=parameters, lease=None, **fields)
    parent["children"] = {"total": len(children), "token": new_id()}
    shared = {name: fields[name] for name in ("user_id", "age") if name in fields}
    stored = [
        task_document(status=child, parent_id=parent["_id"], parameters={"sceneId": scene_id, "autoApply": True}, **shared)
        for child, scene_id in zip(children, scene_ids, strict=True)
    ]
    await db[TASKS].insert_many([parent, *stored])
    return parent, stored
