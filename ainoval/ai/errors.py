"""What can go wrong in a call to an AI, and whether another attempt could help.

Messages name the profile at most: never a key, never an address, since a task's owner reads them.
"""

from enum import StrEnum
from typing import Any

from ainoval.errors import WorkError


class AIErrorCode(StrEnum):
    """The stable codes of `AIError`; they are stored in tasks, so they are never reused."""

    RATE_LIMITED = "rate_limited"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    CONNECTION = "connection"
    BAD_RESPONSE = "bad_response"
    INSUFFICIENT_QUOTA = "insufficient_quota"
    INVALID_REQUEST = "invalid_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    MODEL_NOT_FOUND = "model_not_found"
    CONTENT_FILTERED = "content_filtered"
    CONTEXT_TOO_LONG = "context_too_long"
    TRUNCATED = "truncated"
    EMPTY_TEXT = "empty_text"


RETRYABLE = frozenset(
    {
        AIErrorCode.RATE_LIMITED,
        AIErrorCode.PROVIDER_UNAVAILABLE,
        AIErrorCode.TIMEOUT,
        AIErrorCode.STALLED,
        AIErrorCode.CONNECTION,
        AIErrorCode.BAD_RESPONSE,
    }
)


class AIError(WorkError):
    """The AI gave no usable text.

    Whether it is retryable follows from the code. Only a rate limit hands its attempt back, unless the provider had begun
    to write: it asked for a wait, nothing was tried.

    Args:
        retry_after: Seconds the provider asked to wait.

    Attributes:
        prompt_tokens, completion_tokens: What the provider said the failed call costs; 0 when it said nothing.
    """

    code = "ai_error"

    def __init__(
        self,
        message: str,
        *,
        code: AIErrorCode,
        retry_after: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            message,
            code=code.value,
            details=details,
            retryable=code in RETRYABLE,
            retry_after=retry_after,
            burns_attempt=code is not AIErrorCode.RATE_LIMITED,
        )
        self.prompt_tokens = 0
        self.completion_tokens = 0


class UnknownProfile(WorkError, KeyError):
    """There is no AI profile of this name; ask the operator for the names, or leave aiConfigId out."""

    code = "unknown_ai_config"
    field = "aiConfigId"
    retryable = False

    def __str__(self) -> str:
        # KeyError would print the repr of the message.
        return self.message
