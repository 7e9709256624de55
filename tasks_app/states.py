"""The states of a task and the ways between them. `docs/lifecycle.md` draws the same table, and a test compares the two."""

from enum import StrEnum
from typing import Final


class TaskStatus(StrEnum):
    """Where a task is in its life."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"

    @property
    def is_terminal(self) -> bool:
        """Whether the task has ended: only a requeue leads out."""
        return self in TERMINAL


Q, R, Y, X = TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.RETRYING, TaskStatus.CANCELLING

UNFINISHED: Final = frozenset({Q, R, Y, X})
TERMINAL: Final = frozenset(TaskStatus) - UNFINISHED
WAITING: Final = frozenset({Q, Y})
LEASED: Final = frozenset({R, X})
REQUEUEABLE: Final = frozenset({TaskStatus.FAILED, TaskStatus.INTERRUPTED, TaskStatus.CANCELLED, TaskStatus.COMPLETED_WITH_ERRORS})

TRANSITIONS: Final[dict[str, dict[TaskStatus, frozenset[TaskStatus]]]] = {
    "claim": {Q: frozenset({R})},
    "complete": {
        R: frozenset({TaskStatus.COMPLETED, TaskStatus.COMPLETED_WITH_ERRORS}),
        # The work's result was already there when the cancellation arrived.
        X: frozenset({TaskStatus.COMPLETED, TaskStatus.COMPLETED_WITH_ERRORS}),
    },
    "fail": {R: frozenset({TaskStatus.FAILED})},
    "retry": {R: frozenset({Y})},
    "promote": {Y: frozenset({Q})},
    "release": {R: frozenset({Q})},
    "recover": {R: frozenset({Q, TaskStatus.INTERRUPTED, TaskStatus.FAILED}), X: frozenset({TaskStatus.CANCELLED})},
    "cancel": {Q: frozenset({TaskStatus.CANCELLED}), Y: frozenset({TaskStatus.CANCELLED}), R: frozenset({X})},
    "confirm_cancel": {X: frozenset({TaskStatus.CANCELLED})},
    # A claimed child whose parent is being cancelled or has ended, before its first line.
    "cancel_unrun": {R: frozenset({TaskStatus.CANCELLED}), X: frozenset({TaskStatus.CANCELLED})},
    "requeue": {status: frozenset({Q}) for status in REQUEUEABLE},
}
"""For each transition: from which state it may start, and where it may lead."""


def starts_from(transition: str) -> frozenset[TaskStatus]:
    """Return the states that `transition` may start from."""
    return frozenset(TRANSITIONS[transition])
