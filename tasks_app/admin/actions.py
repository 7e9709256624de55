"""What staff can do to tasks: cancel, requeue, apply, delete. Each is one operation of the core, with a permission of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ainoval.accounts.models import User
from ainoval.errors import AinovalError
from tasks_app import operations, registry, states
from tasks_app.errors import InvalidParameters, TaskNotFound, UnknownTaskType
from tasks_app.executable import TaskExecutable
from tasks_app.states import TaskStatus

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done to a task.

    Attributes:
        refusal: Why it cannot be done to a task as it was read, or None: for showing. What decides is the operation, at its moment.
        perform: Does it to a task as it was read (`_id`, `userId`), overriding what would refuse it if the second argument says so; raises AinovalError
            when it cannot be done (any more).
        statuses: Those of tasks that it may be done to.
        override: What to ask for where there is something to override; None where there is not.
        in_bulk: Whether it is offered for many tasks at once.
        takes_children: Whether tasks of batches can be taken alone.
        removes: Whether the task is gone afterwards.
    """

    name: str
    word: Promise
    explanation: Promise
    done: Promise
    refusal: Callable[[Mapping[str, Any]], str | None]
    perform: Callable[[Mapping[str, Any], bool], Awaitable[object]]
    statuses: frozenset[TaskStatus]
    override: Promise | None = None
    in_bulk: bool = True
    takes_children: bool = False
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


def _apply_refusal(task: Mapping[str, Any]) -> str | None:
    try:
        executable = registry.get(task["taskType"])
    except UnknownTaskType:
        return _("This server does not know the task type.")
    if type(executable).apply is TaskExecutable.apply:
        return _("Results of this task type are not applied.")
    if TaskStatus(task["status"]) is not TaskStatus.COMPLETED:
        return _("Only the result of a completed task can be written into the novel.")
    if task.get("appliedAt"):
        return _("The result is in the novel already.")
    return _("The scene was skipped: there is nothing to apply.") if (task.get("result") or {}).get("skipped") else None


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
    lambda task, _override: operations.cancel(task["_id"], user_id=None),
    states.starts_from("cancel"),
    takes_children=True,
)
REQUEUE: Final = Action(
    "requeue",
    gettext_lazy("Requeue"),
    gettext_lazy("Runs the work again from the start, with all its attempts. Of a batch, only what did not complete runs again."),
    gettext_lazy("queued again"),
    _requeue_refusal,
    lambda task, _override: operations.requeue(task["_id"], user_id=None),
    states.REQUEUEABLE,
)
APPLY: Final = Action(
    "apply",
    gettext_lazy("Apply"),
    gettext_lazy("Writes the result into its owner's novel."),
    gettext_lazy("written into the novel"),
    _apply_refusal,
    lambda task, override: operations.apply(task["_id"], user_id=task["userId"], force=override),
    frozenset({TaskStatus.COMPLETED}),
    override=gettext_lazy("Overwrite what was changed in the scene meanwhile"),
    in_bulk=False,
    takes_children=True,
)
DELETE: Final = Action(
    "delete",
    gettext_lazy("Delete"),
    gettext_lazy("Removes the task, its result and its history for good; a batch goes with all its tasks. What was written into the novel stays."),
    gettext_lazy("deleted"),
    _delete_refusal,
    lambda task, _override: operations.delete(task["_id"]),
    states.TERMINAL,
    removes=True,
)
ACTIONS: Final = {action.name: action for action in (CANCEL, REQUEUE, APPLY, DELETE)}

EDIT: Final = "edit"  # requeue with other parameters: a page of its own, under the permission to requeue
AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task.

    Attributes:
        code: Why it was refused; None when it was done.
        message: The refusal in the core's own words.
        status: Of the task afterwards; "" when it is gone.
        errors: What is wrong with parameters, by field.
    """

    task_id: str
    code: str | None = None
    message: str = ""
    status: str = ""
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def reason(self) -> str:
        """The refusal in the reader's language; one without words here speaks for itself."""
        return str(_REFUSALS.get(self.code or "", self.message))


async def perform(action: Action, tasks: Sequence[Mapping[str, Any]], *, override: bool = False) -> list[Outcome]:
    """Do it to each task, a few at a time; a refusal of one does not keep it from the others.

    Args:
        tasks: As they were read, with `_id` and `userId`.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(task: Mapping[str, Any]) -> Outcome:
        async with room:
            return await _outcome(task["_id"], action.perform(task, override))

    return await asyncio.gather(*(one(task) for task in tasks))


async def _outcome(task_id: str, work: Awaitable[object]) -> Outcome:
    try:
        task = await work
    except AinovalError as exc:
        return Outcome(task_id, exc.code, exc.message, errors=tuple((error["field"], error["message"]) for error in exc.errors))
    return Outcome(task_id, status=task["status"] if isinstance(task, dict) else "")


async def requeue_edited(task: Mapping[str, Any], parameters: Mapping[str, Any]) -> Outcome:
    """Send a task back to the queue with other parameters; what is wrong with them is in the outcome, by field."""
    return await _outcome(task["_id"], operations.requeue(task["_id"], user_id=None, parameters=parameters))


_REFUSALS: Final[dict[str, Promise]] = {
    TaskNotFound.code: gettext_lazy("There is no such task (any more)."),
    "already_ended": gettext_lazy("The task has ended."),
    "not_requeueable": gettext_lazy("In its present state the task cannot be run again."),
    "requeue_the_parent": gettext_lazy("It is part of a batch: run the batch again."),
    "delete_the_parent": gettext_lazy("It is part of a batch: it is deleted with the batch."),
    "changed_meanwhile": gettext_lazy("Its status has changed since the page was made: look at it again."),
    "not_ended": gettext_lazy("The task has not ended: cancel it first."),
    "children_not_ended": gettext_lazy("Tasks of this batch are still being stopped: delete it when they have ended."),
    UnknownTaskType.code: gettext_lazy("This server does not know the task type."),
    InvalidParameters.code: gettext_lazy("The parameters do not fit this task type."),
    "unknown_ai_config": gettext_lazy("There is no AI profile of this name."),
    "novel_not_found": gettext_lazy("The task's owner has no such novel."),
    "chapter_not_found": gettext_lazy("There is no such chapter in the novel."),
    "scene_not_found": gettext_lazy("The task's owner has no such scene."),
    "scene_changed": gettext_lazy("The scene has been changed since: overwrite it, or leave it to its writer."),
    "not_completed": gettext_lazy("Only the result of a completed task can be written into the novel."),
    "already_applied": gettext_lazy("The result is in the novel already."),
    "target_gone": gettext_lazy("The scene or its chapter does not exist any more."),
    "nothing_to_apply": gettext_lazy("The scene was skipped: there is nothing to apply."),
    "unreadable_result": gettext_lazy("The stored parameters or result do not fit this version of the task type."),
    "not_applicable": gettext_lazy("Results of this task type are not applied."),
}
