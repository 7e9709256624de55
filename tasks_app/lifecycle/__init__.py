"""Every change of a task's status, as a value: a filter that states the precondition and an update that changes all that belongs together.

Nobody else writes `status`. A transition is described here once, purely, and executed by whoever needs it: alone (`execute`), or merged with hundreds of
others into one bulk write (the worker's outbox). One that matches nothing lost a race, and has changed nothing.

Two clocks: leases, recovery and everything an edge asks for use the server's (`$$NOW`); the endings that a worker sends in bulk carry `now` as a value,
which the worker estimates from the server's clock, because plain operators cost MongoDB less than a pipeline.

`leases` takes and keeps tasks, `endings` is what an attempt writes, `parents` ends batches, `requests` is what somebody asks for; `merging` makes one
statement of many endings.
"""

from tasks_app.lifecycle.endings import (
    AttemptRecord,
    await_children,
    complete,
    confirm_cancel,
    error_info,
    fail,
    mark_applied,
    release,
    report_progress,
    retry,
    save_draft,
    storable_document,
)
from tasks_app.lifecycle.leases import cancel_unrun, claim, claim_first, expire_leases_of, hand_back, recover, renew
from tasks_app.lifecycle.merging import merged
from tasks_app.lifecycle.parents import finish_parent, keep_children, keep_children_until, roll_up
from tasks_app.lifecycle.requests import cancel_waiting, promote, request_cancel, requeue
from tasks_app.lifecycle.transition import NO_PROGRESS, Json, Transition, execute, execute_on_first, sized

__all__ = [
    "NO_PROGRESS",
    "AttemptRecord",
    "Json",
    "Transition",
    "await_children",
    "cancel_unrun",
    "cancel_waiting",
    "claim",
    "claim_first",
    "complete",
    "confirm_cancel",
    "error_info",
    "execute",
    "execute_on_first",
    "expire_leases_of",
    "fail",
    "finish_parent",
    "hand_back",
    "keep_children",
    "keep_children_until",
    "mark_applied",
    "merged",
    "promote",
    "recover",
    "release",
    "renew",
    "report_progress",
    "request_cancel",
    "requeue",
    "retry",
    "roll_up",
    "save_draft",
    "sized",
    "storable_document",
]
