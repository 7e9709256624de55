"""When a task was created, as it is asked for: `<24h` (in the last 24 hours), `>2h` (longer ago), `2026-11-20` (on that day), `2026-11-20..2026-11-22`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LENGTH: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z?)?", re.ASCII)
_TICK: Final = timedelta(milliseconds=1)
_LONGEST: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when: later than `after`, up to and including `until`; None where it is open."""

    after: datetime | None = None
    until: datetime | None = None


def parse(text: str, now: datetime) -> Span | None:
    """Return the span that a text asks for, None for a text that asks for none.

    Args:
        now: Ages count from here, aware UTC.
    """
    sign, rest = (text[0], text[1:]) if text[:1] in ("<", ">") else ("", text)
    if match := _LENGTH.fullmatch(rest):
        age = int(match[1]) * _UNITS[match[2]]
        if age > _LONGEST:
            return None
        # "2h" alone is taken for what is meant most often: the last two hours.
        return Span(until=now - age) if sign == ">" else Span(after=now - age)
    if not sign and ".." in rest:
        first, _, last = rest.partition("..")
        start, end = _day_or_moment(first), _day_or_moment(last)
        return Span(start[0] - _TICK, end[1]) if start and end else None
    found = _day_or_moment(rest)
    if found is None:
        return None
    begin, end_of_it = found
    if sign == ">":
        return Span(after=end_of_it)
    return Span(until=begin - _TICK) if sign == "<" else Span(begin - _TICK, end_of_it)


def _day_or_moment(text: str) -> tuple[datetime, datetime] | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        begin = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None
    if not 1970 <= begin.year <= 2200:
        return None
    return (begin, begin + timedelta(days=1) - _TICK) if _DAY.fullmatch(text) else (begin, begin)
