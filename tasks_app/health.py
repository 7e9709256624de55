"""What is going wrong, told from what was counted: task types that have begun to fail, and AI profiles that are limited or failing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ainoval.ai.errors import AIErrorCode
from tasks_app.periods import Sums

# A type is failing when so many of its tasks failed in the last hour, and so large a share, and twice the share of the day before.
FAILING_COUNT: Final = 5
FAILING_SHARE: Final = 0.1
FAILING_FACTOR: Final = 2.0

# A provider is failing when so many attempts met its faults in the last minutes, and so large a share.
PROVIDER_COUNT: Final = 3
PROVIDER_SHARE: Final = 0.5
PROVIDER_MINUTES: Final = 15

PROVIDER_FAULTS: Final = frozenset(
    code.value
    for code in (
        AIErrorCode.PROVIDER_UNAVAILABLE,
        AIErrorCode.TIMEOUT,
        AIErrorCode.STALLED,
        AIErrorCode.CONNECTION,
        AIErrorCode.BAD_RESPONSE,
        AIErrorCode.INSUFFICIENT_QUOTA,
        AIErrorCode.AUTHENTICATION,
        AIErrorCode.PERMISSION,
        AIErrorCode.MODEL_NOT_FOUND,
    )
)
"""Errors that the next task would meet as well; the others are about one task's text."""


@dataclass(frozen=True, slots=True)
class FailingType:
    """A task type that has begun to fail.

    Attributes:
        share, before: Of the tasks that ended in the last hour, and in the day before it: how many failed, from 0 to 1; `before` is None when none ended.
        code: The most frequent error of the last hour; "" when none was counted.
    """

    task_type: str
    failed: int
    ended: int
    share: float
    before: float | None
    code: str


def failing_types(hour: Mapping[str, Sums], day: Mapping[str, Sums]) -> list[FailingType]:
    """Return the types that have begun to fail, the worst first.

    Args:
        hour: By type, what ended in the last hour.
        day: By type, what ended in the last day, that hour included.
    """
    found = []
    for task_type, recent in hour.items():
        if recent.failed < FAILING_COUNT or recent.failed < FAILING_SHARE * recent.judged:
            continue
        share = recent.failed / recent.judged
        whole = day.get(task_type, recent)
        ended_before = whole.judged - recent.judged
        before = max(whole.failed - recent.failed, 0) / ended_before if ended_before > 0 else None
        if before is None or share >= FAILING_FACTOR * before:
            code = recent.errors.most_common(1)
            found.append(FailingType(task_type, recent.failed, recent.judged, share, before, code[0][0] if code else ""))
    return sorted(found, key=lambda each: (-each.share, each.task_type))


class ProviderState(StrEnum):
    """How an AI profile does."""

    OK = "ok"
    LIMITED = "limited"
    FAILING = "failing"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Provider:
    """How an AI profile does.

    Attributes:
        until: LIMITED: when the first of the tasks that the provider told to wait tries again.
        attempts, faults: In the last quarter of an hour: all that ended, and those that met the provider's faults.
        code: The most frequent fault, or "rate_limited"; "" for none.
    """

    name: str
    state: ProviderState
    until: datetime | None
    attempts: int
    faults: int
    code: str


def provider(name: str, recent: Sums, until: datetime | None) -> Provider:
    """Tell how an AI profile does.

    Args:
        recent: What ended with it in the last PROVIDER_MINUTES.
        until: When the first of the tasks that wait for it, because it answered 429, tries again; None when none does.
    """
    attempts = recent.attempts.total()
    faults = {code: count for code, count in recent.errors.items() if code in PROVIDER_FAULTS}
    met = sum(faults.values())
    worst = max(faults, key=lambda code: faults[code]) if faults else ""
    if met >= PROVIDER_COUNT and met >= PROVIDER_SHARE * attempts:
        return Provider(name, ProviderState.FAILING, None, attempts, met, worst)
    if until is not None:
        return Provider(name, ProviderState.LIMITED, until, attempts, met, AIErrorCode.RATE_LIMITED.value)
    return Provider(name, ProviderState.OK if attempts else ProviderState.UNUSED, None, attempts, met, worst)
