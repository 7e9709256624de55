"""The bodies of the tasks' endpoints, for validation and for the OpenAPI document; `presenters` makes the answers."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, Literal

from pydantic import BaseModel, Field, RootModel, create_model

from ainoval.api.bodies import Instant, RequestBody, ResponseBody
from tasks_app.states import TaskStatus

WaitingCode = Literal[
    "queued",
    "system_limit",
    "type_limit",
    "user_limit",
    "provider_limited",
    "backoff",
    "paused",
    "awaiting_children",
    "no_worker",
    "unknown_type",
    "budget",
]
Outcome = Literal["completed", "retry", "failed", "cancelled", "timeout", "lost", "released"]


class NoBody(RequestBody):
    """An operation without parameters: no body, or an empty object."""


class ApplyBody(RequestBody):
    """How to apply a result."""

    force: bool = Field(False, description="Write the text although the scene has changed since it was generated for.")


class Accepted(ResponseBody):
    """The task is stored and will be worked on; the Location header has its address."""

    task_id: str


class Applied(ResponseBody):
    """The result is in the novel."""

    task_id: str
    scene_id: str
    version: int = Field(description="The scene's version that this made.")
    applied_at: Instant


class Progress(ResponseBody):
    """How far the work is."""

    percentage: int = Field(ge=0, le=100)
    message: str | None
    current: int | None
    total: int | None


class WaitingReason(ResponseBody):
    """Why the task waits."""

    code: WaitingCode
    message: str
    until: datetime | None = None
    position: int | None = Field(default=None, description="In the queue, counted to 1,000; in details only.")


class TaskSummary(ResponseBody):
    """A task as lists show it."""

    task_id: str
    task_type: str
    status: TaskStatus
    progress: Progress
    waiting_reason: WaitingReason | None
    parent_id: str | None = Field(description="The batch that this task belongs to.")
    attempt: int = Field(description="How often the work was begun.")
    max_attempts: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class ErrorInfo(ResponseBody):
    """Why the task failed."""

    code: str
    message: str
    details: dict[str, Any] | None
    retryable: bool
    retry_count: int


class AttemptError(ResponseBody):
    """Why an attempt ended without a result."""

    code: str
    message: str


class Usage(ResponseBody):
    """Tokens that were paid for."""

    prompt_tokens: int
    completion_tokens: int


class Attempt(ResponseBody):
    """One run of the work."""

    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome
    error: AttemptError | None
    usage: Usage | None


class Children(ResponseBody):
    """The tasks of a batch."""

    total: int
    by_status: dict[TaskStatus, int]


class TaskType(ResponseBody):
    """A task type: what it takes and gives."""

    task_type: str
    path: str = Field(description="Where it is submitted.")
    description: str
    max_attempts: int
    timeout_seconds: float = Field(description="Of one attempt.")
    parameters: dict[str, Any] = Field(description="JSON Schema.")
    result: dict[str, Any] = Field(description="JSON Schema.")


class TaskTypes(RootModel[list[TaskType]]):
    """The task types, sorted by name."""


class TaskDetails(TaskSummary):
    """A task with everything its owner may know."""

    parameters: dict[str, Any] = Field(description="As they were submitted, with defaults.")
    result: dict[str, Any] | None = Field(description="Of a completed task, by its type.")
    error_info: ErrorInfo | None
    attempts: list[Attempt] = Field(description="The last 20.")
    children: Children | None = Field(description="Of a batch.")
    usage: Usage | None
    applied_at: datetime | None = Field(description="When the result was written into the novel.")
    available_at: datetime = Field(description="It will not be begun before this moment.")
    cancel_requested_at: datetime | None
    priority: int


def with_results(results: Sequence[type[BaseModel]]) -> type[TaskDetails]:
    """Return the details with the result described as one of these models: which types there are is known only when all apps are loaded."""
    result = reduce(or_, results, None)
    model = create_model("TaskDetails", __base__=TaskDetails, __doc__=TaskDetails.__doc__, result=(result, TaskDetails.model_fields["result"]))
    return model
