"""The stored shape of a task and of what is kept beside it, their indexes, and nothing else: no behaviour lives on documents.

`BackgroundTask` is the MongoEngine document: the schema, the indexes, and reading by other programs and tests. New tasks are made by `new_task`, as plain
values, because thousands are inserted at once (2,000 take 82 ms through MongoEngine, and 8 ms as plain values); a test holds the two together.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentField,
    FloatField,
    IntField,
    ListField,
    StringField,
)

from ainoval import moments
from tasks_app.conf import MAX_PRIORITY, MIN_PRIORITY
from tasks_app.states import TaskStatus

TASKS = "background_tasks"
USERS = "task_users"
WORKERS = "task_workers"
PERIODS = "task_periods"
BULK_ACTIONS = "bulk_actions"

SINGLE_LANE = 0
BATCH_LANE = 1
LANES = [SINGLE_LANE, BATCH_LANE]
CLAIM_ORDER = {"lane": 1, "priority": -1, "fairKey": 1, "createdAt": 1}  # tasks of batches last, then by priority, then whose user has had least

_QUEUED = {"status": TaskStatus.QUEUED.value}
_ACTIVE = {"status": {"$in": [TaskStatus.RUNNING.value, TaskStatus.CANCELLING.value, TaskStatus.RETRYING.value]}}
# RUNNING or CANCELLING, in the words of the index `active`: of a shorter $in MongoDB cannot tell that the index holds it, and would read all of it.
LEASED_STATUS = {**_ACTIVE["status"], "$ne": TaskStatus.RETRYING.value}


class Progress(EmbeddedDocument):
    """How far an attempt has come, as it last said."""

    percentage = IntField(min_value=0, max_value=100)
    message = StringField()
    current = IntField(min_value=0)
    total = IntField(min_value=0)


class Lease(EmbeddedDocument):
    """The time-bounded right to write an outcome: `token` is the fence, `expiresAt` is judged by the server's clock."""

    owner = StringField(required=True)
    token = StringField(required=True)
    expires_at = DateTimeField(db_field="expiresAt", required=True)


class BackgroundTask(Document):
    """One stored unit of work; docs/lifecycle.md says what each transition changes."""

    id = StringField(primary_key=True)
    user_id = StringField(db_field="userId", required=True)
    task_type = StringField(db_field="taskType", required=True)
    status = StringField(choices=[status.value for status in TaskStatus], required=True)
    parameters = DictField()
    progress = EmbeddedDocumentField(Progress)
    result = DictField(null=True)
    error_info = DictField(db_field="errorInfo", null=True)
    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)
    started_at = DateTimeField(db_field="startedAt", null=True)
    completed_at = DateTimeField(db_field="completedAt", null=True)

    lane = IntField(required=True, choices=[SINGLE_LANE, BATCH_LANE])
    priority = IntField(required=True, min_value=MIN_PRIORITY, max_value=MAX_PRIORITY)
    fair_key = FloatField(db_field="fairKey", required=True)
    available_at = DateTimeField(db_field="availableAt", required=True)
    attempt = IntField(required=True, min_value=0)
    max_attempts = IntField(db_field="maxAttempts", required=True, min_value=1)
    crash_count = IntField(db_field="crashCount", required=True, min_value=0)
    attempts = ListField(DictField())
    lease = EmbeddedDocumentField(Lease)
    parent_id = StringField(db_field="parentId", null=True)
    children = DictField(null=True)
    draft = DictField(null=True)
    idempotency_key = StringField(db_field="idempotencyKey")
    cancel_requested_at = DateTimeField(db_field="cancelRequestedAt", null=True)
    usage = DictField(null=True)
    applied_at = DateTimeField(db_field="appliedAt", null=True)
    expire_at = DateTimeField(db_field="expireAt")

    resource = StringField()  # what is limited across types (an AI profile): counted among the live leases
    wait = DictField()  # why a RETRYING task waits: {code, message}
    waited_seconds = FloatField(db_field="waitedSeconds", min_value=0)  # waits that used no attempt: bounded by TASKS_MAX_WAIT_HOURS
    generation = IntField(min_value=0)  # how often it was requeued: a parent's children of an older one run again
    bulk_actions = ListField(StringField(), db_field="bulkActions")  # staff's actions on many that came to this task: its audit trail
    draft_token = StringField(db_field="draftToken")  # of the attempt that saved `draft`: tells whether a write whose reply was lost was executed
    submission = StringField()  # SHA-256 of type and parameters, for comparing replays of an Idempotency-Key

    meta = {
        "collection": TASKS,
        "auto_create_index": False,
        "strict": False,
        # With `_id_`, nine. docs/indexes.md names each one's queries, and tests read their plans.
        "indexes": [
            {
                "name": "claim",
                "fields": ["lane", "-priority", "fair_key", "created_at", "available_at"],
                "partialFilterExpression": _QUEUED,
            },
            {
                "name": "claim_by_user",
                "fields": ["user_id", "task_type", "resource", "lane", "-priority", "fair_key", "created_at", "available_at"],
                "partialFilterExpression": _QUEUED,
            },
            {
                "name": "active",
                "fields": ["status", "lease.owner", "lease.expires_at", "available_at", "task_type", "user_id", "resource"],
                "partialFilterExpression": _ACTIVE,
            },
            {"name": "user_created", "fields": ["user_id", "lane", "status", "-created_at", "-id", "task_type"]},
            {"name": "user_updated", "fields": ["user_id", "lane", "-updated_at", "-id"]},
            {
                "name": "family",
                "fields": ["parent_id", "status", "created_at", "id"],
                # Every id is greater than "". Of {"$type": "string"} MongoDB cannot tell that an id fits it, and would use the index only by a hint.
                "partialFilterExpression": {"parentId": {"$gt": ""}},
            },
            {"name": "listed", "fields": ["status", "lane", "task_type", "-created_at", "-id", "error_info.code"]},
            {"name": "expiry", "fields": ["expire_at"], "expireAfterSeconds": 0},
        ],
    }


class TaskUser(Document):
    """What is remembered of a user between submissions: hints, repaired by whoever finds them wrong."""

    id = StringField(primary_key=True)
    fair_key = FloatField(db_field="fairKey")
    queued = IntField()
    tokens = FloatField()
    refilled_at = DateTimeField(db_field="refilledAt")
    served_at = DateTimeField(db_field="servedAt")
    meta = {"collection": USERS, "auto_create_index": False, "strict": False}


class TaskWorker(Document):
    """A worker process, as it last reported."""

    id = StringField(primary_key=True)
    host = StringField()
    pid = IntField()
    cluster = StringField()
    started_at = DateTimeField(db_field="startedAt")
    heartbeat_at = DateTimeField(db_field="heartbeatAt")
    slots = IntField()
    running = IntField()
    draining = BooleanField()
    types = ListField(StringField())
    meta = {
        "collection": WORKERS,
        "auto_create_index": False,
        "strict": False,
        "indexes": [{"name": "forgotten", "fields": ["heartbeat_at"], "expireAfterSeconds": 86400}],
    }


class TaskPeriod(Document):
    """What ended in one period, of one task type and resource (`tally`): hints, never read to decide anything."""

    id = StringField(primary_key=True)
    task_type = StringField(db_field="taskType", required=True)
    resource = StringField(null=True)
    span = IntField(required=True)  # minutes
    start = DateTimeField(required=True)
    expire_at = DateTimeField(db_field="expireAt", required=True)
    ended = DictField()  # tasks by status
    attempts = DictField()  # by outcome
    errors = DictField()  # attempts by error code
    wait = DictField()  # attempts by the bin of their wait (`durations`)
    run = DictField()  # attempts by the bin of their duration
    tokens = DictField()  # "prompt" and "completion"
    meta = {
        "collection": PERIODS,
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"name": "span_start", "fields": ["span", "start"]},
            {"name": "expiry", "fields": ["expire_at"], "expireAfterSeconds": 0},
        ],
    }


class BulkOutcome(StrEnum):
    """How a staff action on many tasks ended."""

    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class BulkAction(Document):
    """A staff action on all that match a filter (`bulk_actions`). `selection`: a Selection's fields; `filter`, `query`: the same in words and as an address."""

    id = StringField(primary_key=True)
    action = StringField(required=True)
    user_id = StringField(db_field="userId", required=True)
    username = StringField(required=True)
    filter = StringField()
    query = StringField()
    selection = DictField()
    reason = StringField()
    expected = IntField(required=True, min_value=0)
    expected_exact = BooleanField(db_field="expectedExact", required=True)
    seen = IntField(min_value=0)  # tasks that it came to
    changed = IntField(min_value=0)  # of those, the ones that it changed
    created_at = DateTimeField(db_field="createdAt", required=True)
    started_at = DateTimeField(db_field="startedAt", null=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)
    ended_at = DateTimeField(db_field="endedAt", null=True)
    stop_requested_at = DateTimeField(db_field="stopRequestedAt", null=True)
    stopped_by = StringField(db_field="stoppedBy", null=True)
    handed_out_at = DateTimeField(db_field="handedOutAt", required=True)
    outcome = StringField(choices=[outcome.value for outcome in BulkOutcome], null=True)
    error = StringField(null=True)
    lease = DictField(null=True)
    expire_at = DateTimeField(db_field="expireAt", null=True)

    meta = {
        "collection": BULK_ACTIONS,
        "auto_create_index": False,
        "strict": False,
        "indexes": [
            {"name": "recent", "fields": ["-created_at", "-id"]},
            {"name": "expiry", "fields": ["expire_at"], "expireAfterSeconds": 0},
        ],
    }


def new_task(
    *,
    task_id: str,
    user_id: str,
    task_type: str,
    parameters: dict[str, Any],
    now: datetime,
    fair_key: float,
    priority: int,
    max_attempts: int,
    resource: str | None = None,
    parent_id: str | None = None,
    generation: int = 0,
    idempotency_key: str | None = None,
    submission: str | None = None,
) -> dict[str, Any]:
    """Return a QUEUED task as it is inserted.

    Args:
        now: The moment of submission, aware UTC.
        fair_key: From `fairness`, so that users share the workers evenly.
        parent_id: Puts the task in the batch lane.
    """
    now = moments.storable(now)
    document: dict[str, Any] = {
        "_id": task_id,
        "userId": user_id,
        "taskType": task_type,
        "status": TaskStatus.QUEUED.value,
        "parameters": parameters,
        "progress": {"percentage": 0, "message": None, "current": None, "total": None},
        "createdAt": now,
        "updatedAt": now,
        "startedAt": None,
        "completedAt": None,
        "lane": SINGLE_LANE if parent_id is None else BATCH_LANE,
        "priority": priority,
        "fairKey": fair_key,
        "availableAt": now,
        "attempt": 0,
        "maxAttempts": max_attempts,
        "crashCount": 0,
        "attempts": [],
        "parentId": parent_id,
        "waitedSeconds": 0.0,
        "generation": generation,
    }
    if resource is not None:
        document["resource"] = resource
    if idempotency_key is not None:
        document["idempotencyKey"] = idempotency_key
        document["submission"] = submission
    return document
