"""What can go wrong with a task, each with a stable code. Authors raise `PermanentFailure` and `RetryLater`; the rest is the core's own."""

from datetime import timedelta
from typing import Any

from ainoval.errors import AinovalError, WorkError


class TaskError(AinovalError):
    """A request about a task that cannot be done."""


class TaskNotFound(TaskError):
    """There is no such task."""

    code = "task_not_found"


class UnknownTaskType(TaskError):
    """There is no such task type."""

    code = "unknown_task_type"


class InvalidParameters(TaskError):
    """The parameters do not fit the task type."""

    code = "invalid_parameters"

    def __init__(self, errors: list[dict[str, str]], message: str = "") -> None:
        super().__init__(message or "The parameters do not fit this task type.")
        self.errors = errors


class InvalidTransition(TaskError):
    """The task's state does not allow this."""

    code = "invalid_transition"


class RequeueTheParent(InvalidTransition):
    """A child of a batch is run again by requeueing its parent."""

    code = "requeue_the_parent"


class IdempotencyConflict(TaskError):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"


class ApplyRefused(TaskError):
    """The result cannot be applied."""

    code = "not_completed"


class TooMany(TaskError):
    """A limit of the submission is reached; try again after `retry_after` seconds."""

    code = "too_many"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFull(TooMany):
    """Too many tasks of this user are queued."""

    code = "queue_full"


class RateLimited(TooMany):
    """Too many submissions in the last minute."""

    code = "submit_rate"


class LeaseLost(AinovalError):
    """This attempt no longer holds its task."""

    code = "lease_lost"


class AttemptStopped(AinovalError):
    """This attempt was cancelled, timed out or lost its lease; its context can no longer be used."""

    code = "attempt_stopped"


class PermanentFailure(WorkError):
    """The work failed in a way that another attempt cannot mend."""

    code = "permanent_failure"
    retryable = False


class RetryLater(WorkError):
    """The work cannot be done now; try again after the delay, without using an attempt.

    Args:
        delay: How long to wait (capped at one hour; all waits together at TASKS_MAX_WAIT_HOURS).
    """

    code = "retry_later"
    burns_attempt = False

    def __init__(self, delay: timedelta, message: str = "", **options: Any) -> None:
        super().__init__(message, retry_after=delay.total_seconds(), **options)
