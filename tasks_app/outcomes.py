"""What an exception means for a task: a pure decision, stored afterwards by one transition."""

import asyncio
import random
import traceback
from dataclasses import dataclass
from typing import Any

from ainoval.errors import AinovalError, WorkError
from tasks_app.retry import RetryPolicy

MAX_RETRY_AFTER_SECONDS = 3600.0
# Retries are looked for twice a second. A wait of nothing would add nothing to the waits that are bounded in total, and be repeated without end.
MIN_WAIT_SECONDS = 0.5
MESSAGE_MAX_LENGTH = 2_000
TRACEBACK_MAX_LENGTH = 16_000
DETAILS_MAX_ITEMS = 20
LEFT_OUT = "leftOut"
"""How many details were not kept: those beyond the first 20, and those that are no plain value."""


class AttemptTimeout(WorkError):
    """The attempt took longer than its type allows."""

    code = "attempt_timeout"


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """One failed attempt, in the words that are stored. `traceback` and `retry_after` (seconds that a server asked to wait) are for staff only."""

    code: str
    message: str
    details: dict[str, Any]
    retryable: bool
    traceback: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Run again after `delay` seconds; `burns_attempt` False hands the attempt back."""

    delay: float
    error: ErrorRecord
    burns_attempt: bool = True


@dataclass(frozen=True, slots=True)
class Fail:
    """End the task."""

    error: ErrorRecord


Decision = Retry | Fail


def describe(error: BaseException) -> ErrorRecord:
    """Put an exception into stored words.

    Coded errors speak for themselves. Of any other exception only its type's name is shown to the user: its text may hold paths, keys or queries, and is
    kept in the traceback, for staff.
    """
    trace = storable("".join(traceback.format_exception(error)))
    trace = (
        trace if len(trace) <= TRACEBACK_MAX_LENGTH else f"[the first {len(trace) - TRACEBACK_MAX_LENGTH} characters were cut]\n{trace[-TRACEBACK_MAX_LENGTH:]}"
    )
    match error:
        case WorkError(code=str()):  # a code of another type is the mistake of who raised it, and could neither be shown nor counted
            return ErrorRecord(error.code, bounded(error.message), _details(error), error.retryable, trace, error.retry_after)
        case AinovalError(code=str()):
            # A refusal of the domain (a scene that is gone, a version that moved): the next attempt would meet the same.
            return ErrorRecord(error.code, bounded(error.message), _details(error), retryable=False, traceback=trace)
        case asyncio.TimeoutError():
            return ErrorRecord("timeout", "Something the work waited for took too long.", {}, retryable=True, traceback=trace)
        case _:
            name = type(error).__name__
            return ErrorRecord(
                "unexpected_error",
                f"The work failed with {name}.",
                {"exception": name},
                retryable=True,
                traceback=trace,
            )


def decide(
    error: BaseException,
    *,
    attempt: int,
    policy: RetryPolicy,
    waited_seconds: float,
    max_wait_seconds: float,
    rng: random.Random,
) -> Decision:
    """Decide what follows a failed attempt.

    Args:
        error: What the work raised.
        attempt: The attempt's number, from 1.
        policy: The task type's.
        waited_seconds: Waits so far that used no attempt.
        max_wait_seconds: Those waits are bounded by this in total, so that waiting without end is an end too.
        rng: For the jitter.
    """
    record = describe(error)
    if not record.retryable:
        return Fail(record)
    asked = error.retry_after if isinstance(error, WorkError) else None
    asked = None if asked is None else min(max(asked, 0.0), MAX_RETRY_AFTER_SECONDS)
    if isinstance(error, WorkError) and not error.burns_attempt:
        delay = max(policy.delay(attempt, rng) if asked is None else asked, MIN_WAIT_SECONDS)
        if waited_seconds + delay > max_wait_seconds:
            return Fail(record)
        # Everybody who was told "come back in 20 s" comes back then: up to a tenth more spreads them.
        return Retry(delay * rng.uniform(1.0, 1.1), record, burns_attempt=False)
    if attempt >= policy.max_attempts:
        return Fail(record)
    delay = policy.delay(attempt, rng)
    return Retry(delay if asked is None else max(asked, delay), record)


def storable(text: str) -> str:
    """Return a text as MongoDB can store it."""
    # A lone surrogate cannot be encoded, and one text that cannot be stored must not keep a whole bulk of endings from being stored.
    return text.encode("utf-8", "replace").decode()


def bounded(text: str, most: int = MESSAGE_MAX_LENGTH) -> str:
    """Return a text as it is stored: at most so many characters of it, and whether it was cut."""
    text = storable(text)
    return text if len(text) <= most else f"{text[:most]} [cut, {len(text)} characters in all]"


def _details(error: AinovalError) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in error.details.items():
        if len(kept) == DETAILS_MAX_ITEMS:
            break
        match value:
            case str():
                kept[_key(key)] = bounded(value)
            case bool() | float() | None:
                kept[_key(key)] = value
            case int():
                kept[_key(key)] = value if -(2**63) <= value < 2**63 else str(value)  # BSON has no larger integers
    if left_out := len(error.details) - len(kept):
        kept[LEFT_OUT] = left_out
    return kept


def _key(name: object) -> str:
    return storable(str(name)).replace("\0", "").lstrip("$")[:100] or "_"
