"""A form for a task type's parameters, made from its pydantic model: one field for each parameter, JSON where there is no simpler way to type it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.http import QueryDict
from django.utils.translation import gettext as _

from ainoval.api.errors import MalformedBody
from ainoval.api.parsing import parse_json
from tasks_app.executable import TaskModel

Json = dict[str, Any]

PREFIX: Final = "p."
AS_JSON: Final = "json"
LONG_TEXT: Final = 200
MAX_BYTES: Final = 64 * 1024  # as for a submission


class Kind(StrEnum):
    """How a parameter is typed."""

    TEXT = "text"
    LONG = "long"
    NUMBER = "number"
    YES_NO = "yes_no"
    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter.

    Attributes:
        name: On the wire; `html_name` and `html_id` in the form.
        text: What stands in the field; "" is null where `nullable`.
        errors: What is wrong with it.
    """

    name: str
    kind: Kind
    text: str
    required: bool
    nullable: bool
    description: str
    errors: tuple[str, ...] = ()

    @property
    def html_name(self) -> str:
        """Its name in the form."""
        return PREFIX + self.name

    @property
    def html_id(self) -> str:
        """Its id in the page."""
        return f"parameter-{self.name}"

    @property
    def error_id(self) -> str:
        """The id of what is wrong with it."""
        return f"error-{self.name}"


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed: parameters, or what is wrong by field (`body` for the whole)."""

    parameters: Json | None
    errors: tuple[tuple[str, str], ...] = ()


def fields(model: type[TaskModel], stored: Mapping[str, Any], errors: tuple[tuple[str, str], ...] = (), typed: QueryDict | None = None) -> list[Field]:
    """Return the fields of a form.

    Args:
        stored: The parameters to begin with.
        errors: What is wrong, by the name of a parameter or of a part of it (`sceneIds.3`).
        typed: What stands in the fields when the form is shown again.
    """
    schema = model.model_json_schema(by_alias=True)
    made = []
    for name, described in schema.get("properties", {}).items():
        kind, nullable = _kind(described, schema)
        text = typed.get(PREFIX + name, "") if typed is not None else _text(kind, stored.get(name, described.get("default")))
        mine = tuple(_message(field, message, name) for field, message in errors if field.split(".")[0] == name)
        made.append(Field(name, kind, text, name in schema.get("required", ()), nullable, described.get("description", ""), mine))
    return made


def other_errors(model: type[TaskModel], errors: tuple[tuple[str, str], ...]) -> list[str]:
    """Return what is wrong with the parameters as a whole, or with one that the form has no field for."""
    names = {field.alias or name for name, field in model.model_fields.items()}
    return [message if field == "body" else f"{field}: {message}" for field, message in errors if field.split(".")[0] not in names]


def read(model: type[TaskModel], sent: QueryDict) -> Typed:
    """Return the parameters that a form holds, in fields or as one text of JSON. Whether they fit is for the model to say."""
    if AS_JSON in sent:
        return _from_json(str(sent[AS_JSON]))
    schema = model.model_json_schema(by_alias=True)
    parameters: Json = {}
    errors = []
    for name, described in schema.get("properties", {}).items():
        kind, nullable = _kind(described, schema)
        try:
            parameters[name] = _value(kind, sent.get(PREFIX + name, ""), nullable)
        except ValueError as exc:
            errors.append((name, str(exc)))
    if errors:
        return Typed(None, tuple(errors))
    return _from_json(json.dumps(parameters))


def as_json(parameters: Mapping[str, Any]) -> str:
    """Return stored parameters as text to edit."""
    return json.dumps(parameters, ensure_ascii=False, indent=2, default=str)


def _from_json(text: str) -> Typed:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        return Typed(None, (("body", _("Parameters can have %(limit)d bytes.") % {"limit": MAX_BYTES}),))
    try:
        value = parse_json(data)
    except MalformedBody as exc:
        return Typed(None, (("body", exc.message),))
    if not isinstance(value, dict):
        return Typed(None, (("body", _("Parameters are a JSON object: {…}.")),))
    return Typed(value)


def _kind(described: Json, schema: Json) -> tuple[Kind, bool]:
    options = [_resolved(option, schema) for option in described.get("anyOf", [described])]
    nullable = any(option.get("type") == "null" for option in options)
    real = [option for option in options if option.get("type") != "null"]
    if len(real) != 1:
        return Kind.JSON, nullable
    match real[0]:
        case {"type": "string", **rest}:
            return (Kind.LONG if rest.get("maxLength", LONG_TEXT + 1) > LONG_TEXT else Kind.TEXT), nullable
        case {"type": "integer" | "number"}:
            return Kind.NUMBER, nullable
        case {"type": "boolean"}:
            return Kind.YES_NO, nullable
        case {"type": "array", "items": {"type": "string"}}:
            return Kind.LINES, nullable
        case _:
            return Kind.JSON, nullable


def _resolved(described: Json, schema: Json) -> Json:
    name = described.get("$ref", "").rpartition("/")[2]
    return schema.get("$defs", {}).get(name, described) if name else described


def _text(kind: Kind, value: Any) -> str:
    if value is None:
        return ""
    match kind:
        case Kind.YES_NO:
            return "true" if value else "false"
        case Kind.LINES if isinstance(value, list):
            return "\n".join(map(str, value))
        case Kind.JSON | Kind.LINES:
            return json.dumps(value, ensure_ascii=False, indent=2)
        case _:
            return str(value)


def _value(kind: Kind, text: str, nullable: bool) -> Any:
    """Return what a field's text means.

    Raises:
        ValueError: With words that say what is wrong.
    """
    # A browser sends line breaks as CR LF.
    text = text.replace("\r\n", "\n")
    if not text.strip() and (nullable or kind is Kind.JSON):
        return None
    match kind:
        case Kind.NUMBER:
            return _number(text.strip())
        case Kind.YES_NO:
            return text == "true"
        case Kind.LINES:
            return [line.strip() for line in text.split("\n") if line.strip()]
        case Kind.JSON:
            try:
                return parse_json(text.encode("utf-8", "surrogatepass"))
            except MalformedBody as exc:
                raise ValueError(exc.message) from exc
        case Kind.TEXT:
            return text.strip()
        case Kind.LONG:
            return text


def _number(text: str) -> Any:
    try:
        number = parse_json(text.encode("utf-8", "surrogatepass"))
    except MalformedBody:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(_("This is not a number."))
    return number


def _message(field: str, message: str, name: str) -> str:
    part = field.removeprefix(name).lstrip(".")
    return f"{part}: {message}" if part else message
