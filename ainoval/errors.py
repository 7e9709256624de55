"""The bases of every error this project raises on purpose: a stable code, and words that say what to do next.

Codes are lower snake case and the same everywhere: in an API body, in a stored `errorInfo`, in a log line. These classes know nothing of HTTP; the API
holds the one table from code to status.
"""

from typing import Any


class AinovalError(Exception):
    """An expected failure with a stable code.

    Args:
        message: For the person who meets it; never holds keys, tokens or a path of the server.
        code: Overrides the class's code.
        details: JSON values that go beside the message (`currentVersion`, …).
        field: The parameter that is at fault, by its name on the wire; overrides the class's.

    Attributes:
        errors: `[{field, message}]` for bad parameters, else empty.
    """

    code: str = "error"
    field: str | None = None

    def __init__(self, message: str = "", *, code: str | None = None, details: dict[str, Any] | None = None, field: str | None = None) -> None:
        super().__init__(message or self.default_message())
        if code is not None:
            self.code = code
        self.details: dict[str, Any] = details or {}
        at_fault = field or self.field
        self.errors: list[dict[str, str]] = [{"field": at_fault, "message": self.message}] if at_fault else []

    @property
    def message(self) -> str:
        """The words alone, without the code."""
        return str(self.args[0])

    @classmethod
    def default_message(cls) -> str:
        """The first line of the class's docstring: what happened, when the raiser had nothing to add."""
        return (cls.__doc__ or cls.code).strip().splitlines()[0]


class WorkError(AinovalError):
    """Raised by the work of an attempt: says whether another attempt could help.

    Args:
        retryable: False ends the task at once.
        retry_after: Seconds to wait before the next attempt; None leaves it to the type's backoff.
        burns_attempt: False when the wait is somebody else's wish (429, RetryLater): the attempt is handed back.
    """

    code = "work_failed"
    retryable = True
    burns_attempt = True

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        burns_attempt: bool | None = None,
    ) -> None:
        super().__init__(message, code=code, details=details)
        if retryable is not None:
            self.retryable = retryable
        if burns_attempt is not None:
            self.burns_attempt = burns_attempt
        self.retry_after = retry_after
