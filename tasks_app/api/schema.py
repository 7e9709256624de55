"""The tasks' endpoints in the OpenAPI document: a concrete path for each task type, with its own parameters and examples."""

from collections.abc import Callable, Sequence
from inspect import getdoc
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from ainoval.api.openapi import PAGE_PARAMETERS, PydanticModels, describe, page_model, query_parameter
from ainoval.api.views import ApiView
from tasks_app import registry
from tasks_app.api.bodies import Accepted, Applied, ApplyBody, NoBody, TaskDetails, TaskSummary, TaskTypes, with_results
from tasks_app.states import TaskStatus

Endpoint = tuple[str, str, str, Callable[..., Any]]

TAG = "Background Tasks"
NO_TASK = "No such task of yours"

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Names this submission, so that sending it again makes no second task: printable ASCII, unique among yours.",
)
LOCATION = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[202], description="The task's address.")
REPLAYED = OpenApiParameter(
    "Idempotency-Replayed",
    {"type": "string", "const": "true"},
    OpenApiParameter.HEADER,
    response=[202],
    description="Present when an earlier submission with this Idempotency-Key had stored the task.",
)
SUBMISSION_REFUSALS = {
    400: "A parameter does not fit: see errors",
    401: "No valid access token",
    404: "No such novel or scene of yours",
    409: "The Idempotency-Key was used for another submission",
    413: "The body is larger than 64 KiB",
    415: "The body is not application/json",
    429: "Too many tasks are waiting, or too many were submitted lately: see Retry-After",
    503: "The store cannot be reached now: see Retry-After",
}


class DetailsWithResults(PydanticModels):
    """The details of a task, whose result is that of one of the registered types."""

    target_class = "tasks_app.api.bodies.TaskDetails"
    match_subclasses = False
    priority = 2

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Return the JSON Schema with all results that there are."""
        self.target = with_results([executable.Result for executable in submittable()])
        return super().map_serializer(auto_schema, direction)


def submittable() -> list[registry.AnyExecutable]:
    """Return the task types that clients may submit, sorted by name."""
    return [executable for executable in registry.all_types() if executable.public]


def kebab(task_type: str) -> str:
    """Return a type's name as its path has it."""
    return task_type.lower().replace("_", "-")


def submission_path(executable: registry.AnyExecutable) -> str:
    """Return where tasks of a type are submitted."""
    return reverse("task", args=[kebab(executable.task_type)])


def described(executable: registry.AnyExecutable) -> str:
    """Return what a type does, in its author's words."""
    return getdoc(type(executable)) or executable.task_type


def one_path_per_task_type(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Replace the submission's template path by concrete ones (a drf-spectacular pre-processing hook).

    OpenAPI forbids `/tasks/{taskType}` beside `/tasks/{taskId}`, and a template could name only one model of parameters.
    """
    described_endpoints: list[Endpoint] = []
    for path, regex, method, view in endpoints:
        if getattr(view, "actions", {}).get(method.lower()) == "submit":
            for executable in submittable():
                concrete = submission_path(executable)
                described_endpoints.append((concrete, concrete, method, _submission_view(executable)))
        else:
            described_endpoints.append((path, regex, method, view))
    return described_endpoints


def _submission_view(executable: registry.AnyExecutable) -> Callable[..., Any]:
    """Return a view that is only described, never called: the submission of one type."""
    words = executable.task_type.split("_")
    title = " ".join(words).capitalize()

    class Submission(ApiView):
        @describe(
            "submit" + "".join(word.capitalize() for word in words),
            title,
            tag=TAG,
            description=f"{described(executable)}\n\nThe result is described by `{executable.Result.__name__}`.",
            request=executable.Parameters,
            parameters=[IDEMPOTENCY_KEY, LOCATION, REPLAYED],
            answers={202: Accepted},
            refusals=SUBMISSION_REFUSALS,
            examples={f"{title} ({number})": example for number, example in enumerate(executable.examples, start=1)},
        )
        def post(self, request: Request) -> Response:
            raise NotImplementedError

    view: Callable[..., Any] = Submission.as_view()
    return view


list_tasks = describe(
    "listTasks",
    "List your tasks",
    tag=TAG,
    parameters=[
        *PAGE_PARAMETERS,
        query_parameter("status", {"type": "array", "items": {"type": "string", "enum": [*TaskStatus]}}, "Any of these; a comma list works, too."),
        query_parameter("taskType", {"type": "string", "minLength": 1}, "Of this type."),
        query_parameter("parentId", {"type": "string", "minLength": 1}, "The tasks of this batch."),
        query_parameter("includeChildren", {"type": "boolean", "default": False}, "With the tasks of batches; else they are left out (save with parentId)."),
        query_parameter("sortBy", {"type": "string", "enum": ["createdAt", "updatedAt"], "default": "createdAt"}),
        query_parameter("sortDir", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
    ],
    answers={200: page_model(TaskSummary)},
    refusals={400: "A query parameter does not fit"},
)
get_task = describe("getTask", "Read a task", tag=TAG, answers={200: TaskDetails}, refusals={404: NO_TASK})
cancel_task = describe("cancelTask", "Cancel a task", tag=TAG, answers={202: TaskSummary}, refusals={404: NO_TASK, 409: "It has ended already"})
apply_task = describe(
    "applyTask",
    "Apply a task's result",
    tag=TAG,
    request=ApplyBody,
    answers={200: Applied},
    refusals={
        404: NO_TASK,
        409: "not_completed, already_applied, unreadable_result, target_gone, nothing_to_apply, not_applicable, or scene_changed (with both versions)",
    },
    examples={"Over a later change": {"force": True}},
)
retry_task = describe(
    "retryTask",
    "Run a task again",
    tag=TAG,
    request=NoBody,
    answers={202: TaskSummary},
    refusals={404: NO_TASK, 409: "Its state does not allow it, or it belongs to a batch"},
)
list_types = describe("listTaskTypes", "List the task types", tag=TAG, answers={200: TaskTypes})
