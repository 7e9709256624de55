"""The OpenAPI 3.1 document: what drf-spectacular has to be told about bearer tokens, pydantic models and problem
documents.

Source: https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaMode, model_json_schema

from ainoval.api.bodies import ResponseBody
from ainoval.api.pagination import DEFAULT_SIZE, MAX_SIZE
from ainoval.api.problem import CONTENT_TYPE

Json = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """Any error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Always about:blank: the code says what happened.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    code: str = Field(description="Stable, for programs.")
    detail: str = Field(description="For people: what is wrong, and what to do next.")
    errors: list[FieldError] | None = Field(default=None, description="For bad parameters: what is wrong with which.")


def describe(
    operation_id: str,
    summary: str,
    *,
    tag: str,
    answers: Mapping[int, type[BaseModel] | None],
    refusals: Mapping[int, str] | None = None,
    request: type[BaseModel] | Json | None = None,
    parameters: Sequence[Any] = (),
    examples: Mapping[str, Json] | None = None,
    description: str | None = None,
) -> Callable[[F], F]:
    """Describe a view's method in the OpenAPI document.

    Args:
        operation_id: Unique: generated clients name their methods by it.
        answers: The models of successful answers, by status.
        refusals: What problem documents mean here, by status (every operation may answer with others, too).
        request: The model of the body, or for a form its schemas by media type.
        examples: Bodies, by their names.
        description: Instead of the method's docstring.
    """
    problems: dict[Any, Any] = {(status, CONTENT_TYPE): OpenApiResponse(Problem, text) for status, text in (refusals or {}).items()}
    decorate: Callable[[F], F] = extend_schema(
        operation_id=operation_id,
        tags=[tag],
        summary=summary,
        description=description,
        request=request,
        parameters=[*parameters, *_answered_headers(answers, refusals or {})],
        responses=problems | dict(answers),
        examples=[OpenApiExample(name, value, request_only=True) for name, value in (examples or {}).items()],
    )
    return decorate


def _answered_headers(answers: Mapping[int, Any], refusals: Mapping[int, str]) -> list[OpenApiParameter]:
    """Return the headers that come with these statuses, whatever the operation."""
    headers = []
    if 201 in answers:
        headers.append(OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[201], description="The address of what was made."))
    if waits := [status for status in (429, 503) if status in refusals]:
        seconds = {"type": "integer", "minimum": 1}
        headers.append(OpenApiParameter("Retry-After", seconds, OpenApiParameter.HEADER, response=waits, description="Seconds to wait."))
    return headers


def hide(view: F) -> F:
    """Leave a view's method out of the OpenAPI document."""
    hidden: F = extend_schema(exclude=True)(view)
    return hidden


def query_parameter(name: str, schema: Json, description: str = "") -> Any:
    """Return the description of a query parameter."""
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description)


PAGE_PARAMETERS = [
    query_parameter("page", {"type": "integer", "minimum": 0, "default": 0}, "Counted from 0."),
    query_parameter("size", {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE}),
]


@cache
def page_model(entry: type[ResponseBody]) -> type[ResponseBody]:
    """Return the model of a page of entries."""
    return create_model(
        f"PageOf{entry.__name__}",
        __base__=ResponseBody,
        __doc__="One page.",
        content=(list[entry], ...),  # type: ignore[valid-type]
        number=(int, Field(description="Which page this is, counted from 0.")),
        size=(int, Field(description="The size that was asked for.")),
        total_elements=(int, ...),
        total_pages=(int, ...),
        number_of_elements=(int, Field(description="How many entries this page has.")),
        first=(bool, ...),
        last=(bool, ...),
        empty=(bool, ...),
    )


class ApiSchema(AutoSchema):
    """drf-spectacular's, which would make an array of whatever an action called `list` answers: ours are pages."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> Any:
        schema, required = super()._get_request_for_media_type(serializer, direction)
        # A form's schema is taken as it is, and its body for optional, whatever fields it requires.
        return schema, required or (isinstance(serializer, dict) and bool(serializer.get("required")))


class BearerScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer …`."""

    target_class = "ainoval.accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> Json:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class _WithoutFieldTitles(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes of camelCase names ("Prompttokens")."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def json_schema(model: type[BaseModel], mode: JsonSchemaMode, *, ref_template: str = DEFAULT_REF_TEMPLATE) -> Json:
    """Return a model's JSON Schema.

    Args:
        mode: `validation` for what is sent to us (fields with defaults are optional), `serialization` for what we answer.
    """
    return model_json_schema(model, mode=mode, ref_template=ref_template, schema_generator=_WithoutFieldTitles)


class PydanticModels(OpenApiSerializerExtension):
    """Pydantic models, with requests described as they are validated.

    The extension that comes with drf-spectacular describes all models as they are serialized, so that every request
    field with a default looks required.
    """

    target_class = "pydantic.BaseModel"
    match_subclasses = True
    priority = 1

    def get_name(self, auto_schema: Any, direction: str) -> str:
        """Return the component's name: the model's, generic ones without brackets."""
        set_override(self.target, "suppress_collision_warning", True)
        return component_name(self.target)

    def map_serializer(self, auto_schema: Any, direction: str) -> Json:
        """Return the model's JSON Schema, its parts put among the document's components."""
        mode: JsonSchemaMode = "validation" if direction == "request" else "serialization"
        schema = json_schema(self.target, mode, ref_template="#/components/schemas/{model}")
        for name, part in schema.pop("$defs", {}).items():
            auto_schema.registry.register_on_missing(ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=part))
        return schema


def component_name(model: type[BaseModel]) -> str:
    """Return a model's name as a component may be called."""
    return re.sub(r"[^A-Za-z0-9]+", "_", model.__name__).strip("_")


def describe_problems(result: Json, **_: Any) -> Json:
    """Add the answer that every operation may give: a problem document (a drf-spectacular post-processing hook)."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.setdefault("FieldError", json_schema(FieldError, "serialization"))
    problem = json_schema(Problem, "serialization", ref_template="#/components/schemas/{model}")
    problem.pop("$defs", None)
    schemas.setdefault("Problem", problem)
    answer = {
        "description": "Any other error.",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault("default", answer)
    return result
