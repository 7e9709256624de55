"""The shapes of request and response bodies: pydantic models, camelCase on the wire."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel

from ainoval.api.errors import InvalidRequest, field_errors

Body = TypeVar("Body", bound=BaseModel)
Json = dict[str, Any]


def instant(value: datetime) -> str:
    """Return a moment as ISO 8601 in UTC with milliseconds and a Z."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(instant, return_type=str, when_used="json")]
"""A moment in a response body."""


class RequestBody(BaseModel):
    """Base of request bodies: no coercion, unknown fields refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)

    def given(self) -> Json:
        """Return the fields that were sent, by their Python names: a field that was left out is not one that was
        emptied.
        """
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class ResponseBody(BaseModel):
    """Base of response bodies, made from the services' values by name."""

    model_config = ConfigDict(from_attributes=True, frozen=True, alias_generator=to_camel, populate_by_name=True)

    @classmethod
    def of(cls, value: object) -> Json:
        """Return a service's value as it is answered."""
        return cls.model_validate(value).model_dump(mode="json", by_alias=True)


def validated(model: type[Body], data: Any) -> Body:
    """Return a parsed body as its model.

    Raises:
        InvalidRequest: With one entry a field that does not fit.
    """
    try:
        return model.model_validate(json_object(data))
    except ValidationError as exc:
        raise InvalidRequest(field_errors(exc)) from exc


def json_object(data: Any) -> Json:
    """Return a parsed body that must be an object.

    Raises:
        InvalidRequest: It is a list, a string, a number…
    """
    if not isinstance(data, dict):
        raise InvalidRequest([{"field": "body", "message": "must be a JSON object"}], "The body must be a JSON object.")
    return data


def leave_out_default(schema: Json) -> None:
    """Do not document the default of a field whose absence means "unchanged" (for `Field(json_schema_extra=…)`)."""
    schema.pop("default", None)
