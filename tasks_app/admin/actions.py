"""What staff can do to tasks: cancel, requeue, delete. Each is one operation of the core, with a permission of its own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ainoval.accounts.models import User
from ainoval.errors import AinovalError
from tasks_app import operations, registry, states
from tasks_app.errors import TaskNotFound, UnknownTaskType
from tasks_app.states import TaskStatus

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done to a task.

    Attributes:
        refusal: Why it cannot be done to a task as it was read, or None: for showing. What decides is the operation, at its moment.
        perform: Does it to one task; raises AinovalError when it cannot be done (any more).
        removes: Whether the task is gone afterwards.
    """

    name: str
    word: Promise
    explanation: Promise
    done: Promise
    refusal: Callable[[Mapping[str, Any]], str | None]
    perform: Callable[[str], Awaitable[object]]
    removes: bool = False

    @property
    def permission(self) -> str:
        """The permission that this action needs, beside that to see tasks."""
        return f"tasks_app.{self.name}_backgroundtask"

    def allowed(self, user: User | AnonymousUser) -> bool:
        """Whether this user may do it at all."""
        return user.has_perm(self.permission)


def _cancel_refusal(task: Mapping[str, Any]) -> str | None:
    status = TaskStatus(task["status"])
    if status.is_terminal:
        return _("The task has ended.")
    return _("It is being cancelled already.") if status is TaskStatus.CANCELLING else None


def _requeue_refusal(task: Mapping[str, Any]) -> str | None:
    status = TaskStatus(task["status"])
    if status in states.UNFINISHED:
        return _("The task has not ended.")
    if status not in states.REQUEUEABLE:
        return _("The task has completed: there is nothing to run again.")
    if task.get("parentId"):
        return _("It is part of a batch: run the batch again.")
    try:
        registry.get(task["taskType"])
    except UnknownTaskType:
        return _("This server does not know the task type.")
    return None


def _delete_refusal(task: Mapping[str, Any]) -> str | None:
    if task.get("parentId"):
        return _("It is part of a batch: it is deleted with the batch.")
    return None if TaskStatus(task["status"]).is_terminal else _("The task has not ended: cancel it first.")


CANCEL: Final = Action(
    "cancel",
    gettext_lazy("Cancel"),
    gettext_lazy("What waits ends at once; what runs is asked to stop. A batch is cancelled with all its tasks."),
    gettext_lazy("cancelled"),
    _cancel_refusal,
    lambda task_id: operations.cancel(task_id, user_id=None),
)
REQUEUE: Final = Action(
    "requeue",
    gettext_lazy("Requeue"),
    gettext_lazy("Runs the work again from the start, with all its attempts. Of a batch, only what did not complete runs again."),
    gettext_lazy("queued again"),
    _requeue_refusal,
    lambda task_id: operations.requeue(task_id, user_id=None),
)
DELETE: Final = Action(
    "delete",
    gettext_lazy("Delete"),
    gettext_lazy("Removes the task, its result and its history for good; a batch goes with all its tasks. What was written into the novel stays."),
    gettext_lazy("deleted"),
    _delete_refusal,
    operations.delete,
    removes=True,
)
ACTIONS: Final = {action.name: action for action in (CANCEL, REQUEUE, DELETE)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task.

    Attributes:
        code: Why it was refused; None when it was done.
        message: The refusal in the core's own words.
        status: Of the task afterwards; "" when it is gone.
    """

    task_id: str
    code: str | None = None
    message: str = ""
    status: str = ""

    @property
    def reason(self) -> str:
        """The refusal in the reader's language; one without words here speaks for itself."""
        return str(_REFUSALS.get(self.code or "", self.message))


async def perform(action: Action, task_ids: list[str]) -> list[Outcome]:
    """Do it to each task, one after the other; a refusal of one does not keep it from the others."""
    outcomes = []
    for task_id in task_ids:
        try:
            task = await action.perform(task_id)
        except AinovalError as exc:
            outcomes.append(Outcome(task_id, exc.code, exc.message))
        else:
            outcomes.append(Outcome(task_id, status=task["status"] if isinstance(task, dict) else ""))
    return outcomes


_REFUSALS: Final[dict[str, Promise]] = {
    TaskNotFound.code: gettext_lazy("There is no such task (any more)."),
    "already_ended": gettext_lazy("The task has ended."),
    "not_requeueable": gettext_lazy("In its present state the task cannot be run again."),
    "requeue_the_parent": gettext_lazy("It is part of a batch: run the batch again."),
    "delete_the_parent": gettext_lazy("It is part of a batch: it is deleted with the batch."),
    "not_ended": gettext_lazy("The task has not ended: cancel it first."),
    UnknownTaskType.code: gettext_lazy("This server does not know the task type."),
}
