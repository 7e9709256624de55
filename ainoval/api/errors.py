"""What can be wrong with a request before any work is asked for."""

from typing import Any

from pydantic import ValidationError

from ainoval.errors import AinovalError


class RequestError(AinovalError):
    """The request cannot be understood."""

    code = "bad_request"


class MalformedBody(RequestError):
    """The body is not JSON that could be stored and read back."""

    code = "malformed_json"


class PayloadTooLarge(RequestError):
    """The body is too large."""

    code = "payload_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than the {limit:,} bytes that are accepted here.", details={"limitBytes": limit})


class UnsupportedMediaType(RequestError):
    """The body's Content-Type is not accepted here."""

    code = "unsupported_media_type"


class InvalidRequest(RequestError):
    """Fields of the body, or query parameters, do not fit."""

    code = "invalid_parameters"

    def __init__(self, errors: list[dict[str, str]], message: str = "") -> None:
        super().__init__(message or "Some parameters do not fit: see errors.")
        self.errors = errors


class InvalidQuery(InvalidRequest):
    """A query parameter does not fit."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__([{"field": field, "message": message}], f"The query parameter {field} {message}.")


class PageTooDeep(RequestError):
    """Pages so far from the first cannot be asked for; narrow the list with a filter."""

    code = "page_too_deep"
    field = "page"


class InvalidIdempotencyKey(RequestError):
    """Idempotency-Key must be 1 to 255 printable ASCII characters."""

    code = "invalid_idempotency_key"
    field = "Idempotency-Key"


class TooManyAttempts(RequestError):
    """Too many failed attempts.

    Attributes:
        retry_after: Seconds until the next attempt is considered.
    """

    code = "too_many_attempts"

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many failed attempts: wait, then try again.")
        self.retry_after = retry_after


def field_errors(error: ValidationError) -> list[dict[str, str]]:
    """Return pydantic's findings as `[{field, message}]`, without the values that were sent (they are the writer's
    text).
    """
    found: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            "field": ".".join(str(part) for part in item["loc"]) or "body",
            "message": str(item["msg"]).removeprefix("Value error, "),
        }
        for item in found
    ]
