"""`TaskViewSet`: parse, call one operation or query, present."""

import re
from functools import cache
from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from ainoval import mongo
from ainoval.api.bodies import json_object, validated
from ainoval.api.errors import InvalidIdempotencyKey
from ainoval.api.openapi import hide, json_schema
from ainoval.api.pagination import choice, flag, page_of, page_request, several, single
from ainoval.api.views import ApiView, user_id
from tasks_app import operations, presenters, queries, registry
from tasks_app.api import schema
from tasks_app.api.bodies import Applied, ApplyBody, NoBody, TaskType
from tasks_app.errors import UnknownTaskType
from tasks_app.queries import TaskFilter
from tasks_app.states import TaskStatus

Json = dict[str, Any]

_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]{1,255}")


class TaskViewSet(ViewSetMixin, ApiView):
    """Background tasks of the caller."""

    @property
    def allowed_methods(self) -> list[str]:
        """The methods that this address knows: one that names a task type is there to submit, any other to read or to cancel a task."""
        allowed = super().allowed_methods
        if self.action_map.get("post") != "submit":
            return allowed
        submits = _names_a_type(self.kwargs["task_id"])
        return [method for method in allowed if (method == "POST") == submits]

    @schema.list_tasks
    def list(self, request: Request) -> Response:
        """Return one page of your tasks, the newest first unless asked otherwise."""
        query = request.query_params
        page = page_request(query)
        wanted = TaskFilter(
            user_id=user_id(request),
            statuses=tuple(TaskStatus(name) for name in several(query, "status", [*TaskStatus])),
            task_types=_stored_names(single(query, "taskType")),
            parent_id=single(query, "parentId"),
            include_children=flag(query, "includeChildren"),
        )
        sort_by = choice(query, "sortBy", ("createdAt", "updatedAt"), "createdAt")
        descending = choice(query, "sortDir", ("asc", "desc"), "desc") == "desc"

        async def read() -> tuple[list[Json], int]:
            found = await queries.page(wanted, page=page.page, size=page.size, sort_by=sort_by, descending=descending)
            facts = await presenters.waiting_facts()
            return [presenters.summary(task, facts) for task in found.items], found.total

        return Response(page_of(*mongo.run(read()), page))

    @hide  # described once for each task type instead
    def submit(self, request: Request, task_id: str) -> Response:
        """Store a task and answer at once; the body holds the parameters of its type."""
        key = _idempotency_key(request)
        stored = mongo.run(operations.submit(user_id(request), task_id, json_object(request.data), idempotency_key=key))
        headers = {"Location": reverse("task", args=[stored.task_id])}
        if stored.replayed:
            headers["Idempotency-Replayed"] = "true"
        return Response({"taskId": stored.task_id}, status=202, headers=headers)

    @schema.get_task
    def retrieve(self, request: Request, task_id: str) -> Response:
        """Return a task with its parameters, result, error and attempts."""

        async def read() -> Json:
            task = await queries.get(task_id, user_id=user_id(request))
            children = await queries.children_counts(task_id) if task.get("children") else None
            position = await queries.position(task) if task["status"] == TaskStatus.QUEUED else None
            return presenters.details(task, await presenters.waiting_facts(), children, position)

        return Response(mongo.run(read()))

    @schema.cancel_task
    def destroy(self, request: Request, task_id: str) -> Response:
        """Ask for cancellation: a waiting task ends at once, a running one when its work has stopped."""

        async def cancel() -> Json:
            task = await operations.cancel(task_id, user_id=user_id(request))
            return presenters.summary(task, await presenters.waiting_facts())

        return Response(mongo.run(cancel()), status=202)

    @schema.apply_task
    def apply(self, request: Request, task_id: str) -> Response:
        """Write a completed task's result into the novel."""
        body = validated(ApplyBody, request.data)
        applied = mongo.run(operations.apply(task_id, user_id=user_id(request), force=body.force))
        return Response(Applied.of(applied))

    @schema.retry_task
    def retry(self, request: Request, task_id: str) -> Response:
        """Send a failed, interrupted, cancelled or partly failed task back to the queue; a batch reruns what did not complete."""
        validated(NoBody, request.data)

        async def requeue() -> Json:
            task = await operations.requeue(task_id, user_id=user_id(request))
            return presenters.summary(task, await presenters.waiting_facts())

        return Response(mongo.run(requeue()), status=202)

    @schema.list_types
    def types(self, request: Request) -> Response:
        """Return the task types that can be submitted, with JSON Schemas of their parameters and results."""
        return Response([_type(executable) for executable in schema.submittable()])


def live_workers() -> int:
    """Return how many workers have reported lately."""
    return mongo.run(presenters.waiting_facts()).workers


@cache
def _type(executable: registry.AnyExecutable) -> Json:
    return TaskType(
        task_type=executable.task_type,
        path=schema.submission_path(executable),
        description=schema.described(executable),
        max_attempts=executable.retry.max_attempts,
        timeout_seconds=executable.timeout.total_seconds(),
        parameters=json_schema(executable.Parameters, "validation"),
        result=json_schema(executable.Result, "serialization"),
    ).model_dump(mode="json", by_alias=True)


def _names_a_type(name: str) -> bool:
    try:
        return bool(registry.resolve(name))
    except UnknownTaskType:
        return False


def _stored_names(name: str | None) -> tuple[str, ...]:
    """Return a type's names in documents, former ones too. One that is not known is not refused: tasks of a type that was removed are still listed."""
    if name is None:
        return ()
    try:
        executable = registry.resolve(name)
    except UnknownTaskType:
        return (name,)
    return (executable.task_type, *executable.aliases)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _PRINTABLE_ASCII.fullmatch(key):
        raise InvalidIdempotencyKey
    return key
