"""Forms, and strict JSON: nothing is accepted that could not be stored and read back, or that two programs would read differently.

The standard JSON parser lets through what bites later: `1e400` becomes an infinity that no JSON can answer with,
integers past 64 bits and keys with NUL break the driver, lone surrogates cannot be encoded, and of duplicate keys the
last one silently wins.
"""

import codecs
import json
import math
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser

from ainoval.api.errors import MalformedBody, UnsupportedMediaType

MAX_DEPTH = 32
MAX_MEMBERS = 2_000  # of one object: each that is not known is an error of its own, and takes longer to tell than to send
INT64 = range(-(2**63), 2**63)
JSON_MEDIA_TYPE = "application/json"

_INT64_CHARACTERS = 20
_EXACT = 2**53
_SHOWN_CHARACTERS = 40


def parse_json(data: bytes) -> Any:
    """Parse one JSON value, strictly (RFC 8259, and the limits of what is stored).

    Raises:
        MalformedBody: With words that say what is wrong, and where the parser knows it.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise MalformedBody(f"The body is not UTF-8 (byte {exc.start}).") from exc
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number, parse_int=_int)
    except json.JSONDecodeError as exc:
        raise MalformedBody(f"The body is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno}).") from exc
    except RecursionError as exc:
        raise _too_deep() from exc
    _check(value)
    return value


def require_json(content_type: str) -> None:
    """Check a Content-Type: `application/json`, in UTF-8 if it says anything about it.

    Raises:
        UnsupportedMediaType: It is another one, or none.
    """
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if media_type.lower() != JSON_MEDIA_TYPE:
        raise UnsupportedMediaType(f"The body's Content-Type must be {JSON_MEDIA_TYPE}.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower().startswith("charset") and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("JSON is accepted in UTF-8 only.")


class StrictJSONParser(BaseParser):
    """`parse_json` for Django REST framework; the length is bounded where the body is read (`ainoval.api.views`)."""

    media_type = JSON_MEDIA_TYPE

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Parse the whole body.

        Raises:
            UnsupportedMediaType, MalformedBody: As above.
        """
        require_json(media_type or "")
        return parse_json(stream.read())


class StrictMultiPartParser(MultiPartParser):
    """Django REST framework's, for UTF-8 alone; a part whose header cannot be read makes a malformed body."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Parse the whole form.

        Raises:
            UnsupportedMediaType: It says that it is in another encoding: there are some that no text can be read by, and some that make half characters.
            ParseError: It is malformed.
        """
        if codecs.lookup((parser_context or {})["encoding"]).name != "utf-8":
            raise UnsupportedMediaType("Forms are accepted in UTF-8 only.")
        try:
            return super().parse(stream, media_type, parser_context)
        except TypeError as exc:  # see `negotiation`
            raise ParseError from exc


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise MalformedBody(f"The body has an object of more than {MAX_MEMBERS:,} members.")
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedBody(f"The body has the key {_shown(twice)} twice in one object.")
    return found


def _constant(name: str) -> Any:
    raise MalformedBody(f"The body has {name}, which is not JSON.")


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedBody(f"The body has the number {_shown(digits)}, which is too large.")
    # To JSON Schema, which describes our bodies, 105.0 is an integer; past 2**53 a float no longer says which.
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _int(digits: str) -> int:
    # The length first: turning a million digits into a number is work that nobody asked for.
    if len(digits) > _INT64_CHARACTERS or (number := int(digits)) not in INT64:
        raise MalformedBody(f"The body has the integer {_shown(digits)}, which does not fit into 64 bits.")
    return number


def _check(value: Any) -> None:
    level = [value]
    depth = 0
    while level:
        if depth == MAX_DEPTH and any(isinstance(item, dict | list) for item in level):
            raise _too_deep()
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                for key in item:
                    _check_text(key)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
        depth += 1


def _check_text(text: str) -> None:
    if "\0" in text:
        raise MalformedBody("The body has a NUL character (\\u0000) in a string, which cannot be stored.")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise MalformedBody(f"The body has half a surrogate pair (\\u{ord(text[exc.start]):04x}), which is no character.") from exc


def _too_deep() -> MalformedBody:
    return MalformedBody(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _shown(text: str) -> str:
    """Return the beginning of what was sent, in ASCII: what is wrong with it must not reach the answer."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")
