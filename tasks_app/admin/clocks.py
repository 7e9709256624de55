"""How long a task has been waiting, running, or ended. The page's script keeps it ticking; without one it stands as it was when the page was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from tasks_app.admin.words import SPANS, duration, waiting_words
from tasks_app.states import TaskStatus
from tasks_app.waiting import WaitingFacts, waiting_reason


class Tick(StrEnum):
    """What a clock counts, from a moment or to it."""

    WAITS = "waits"
    RUNS = "runs"
    STOPS = "stops"
    AGAIN = "again"
    ENDED = "ended"


PATTERNS: dict[Tick, Promise] = {
    Tick.WAITS: gettext_lazy("waiting for %(span)s"),
    Tick.RUNS: gettext_lazy("running for %(span)s"),
    Tick.STOPS: gettext_lazy("stopping for %(span)s"),
    Tick.AGAIN: gettext_lazy("again in %(span)s"),
    Tick.ENDED: gettext_lazy("ended %(span)s ago"),
}
DUE_NOW = gettext_lazy("due now")


@dataclass(frozen=True, slots=True)
class Clock:
    """What a task is doing: for how long, and why it waits ("" where it does not). `at` is the moment it counts from or to, once for the script and once
    for people ("" where there is none).
    """

    tick: Tick
    at: datetime | None
    text: str
    why: str = ""
    code: str = ""

    @property
    def iso(self) -> str:
        """The moment as the page's script reads it."""
        return self.at.isoformat() if self.at else ""

    @property
    def moment(self) -> str:
        """The moment as people read it."""
        return f"{self.at:%Y-%m-%d %H:%M:%S} UTC" if self.at else ""


def clock(task: Mapping[str, Any], facts: WaitingFacts, now: datetime) -> Clock:
    """Return what a task's clock shows."""
    reason = waiting_reason(dict(task), facts)
    tick, at = _counts(task, reason)
    return Clock(tick, at, reading(tick, at, now), waiting_words(reason), reason["code"] if reason else "")


def reading(tick: Tick, at: datetime | None, now: datetime) -> str:
    """Return what a clock shows at a moment."""
    if at is None:
        return ""
    if tick is Tick.AGAIN and at <= now:
        return str(DUE_NOW)
    return str(PATTERNS[tick] % {"span": duration(int(abs((now - at).total_seconds())))})


def for_the_script() -> str:
    """Return what the page's script needs to keep the clocks ticking, as JSON: the time here, and the same texts."""
    patterns = {tick.value: str(text) for tick, text in PATTERNS.items()}
    spans = {unit: str(text) for unit, text in SPANS.items()}
    return json.dumps({"now": datetime.now(UTC).isoformat(), "patterns": patterns, "spans": spans, "due": str(DUE_NOW)}, ensure_ascii=False)


def _counts(task: Mapping[str, Any], reason: dict[str, Any] | None) -> tuple[Tick, datetime | None]:
    if reason and (until := reason.get("until")):
        return Tick.AGAIN, until
    match TaskStatus(task["status"]):
        case TaskStatus.RUNNING:
            return Tick.RUNS, task.get("startedAt")
        case TaskStatus.CANCELLING:
            return Tick.STOPS, task.get("cancelRequestedAt")
        case TaskStatus.QUEUED | TaskStatus.RETRYING:
            return Tick.WAITS, task["availableAt"]
        case _:
            return Tick.ENDED, task.get("completedAt")
