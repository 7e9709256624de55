"""Chapters that are only numbers ("I", "2.", "三"), looked for where a text has no other headings."""

import re
from collections.abc import Sequence
from typing import Final

from ainoval.novels.importing.finding import Found
from ainoval.novels.importing.headings import Heading
from ainoval.novels.importing.marks import Kind

_NUMBER = re.compile(r"(?P<number>[IVXLC]{1,7}|\d{1,3}|[一二三四五六七八九十百]{1,5})[.、．]?")
_ROMAN: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_CHINESE: Final = {digit: value for value, digit in enumerate("一二三四五六七八九", start=1)}
_FEWEST: Final = 3
# Numbers on lines of their own that do not count up belong to something else: verses, sections within stories.
_SHARE: Final = 0.8


def find_numbers(lines: Sequence[str]) -> list[Found]:
    """Return the numbers that stand alone after a blank line and count up from one, as chapters; none where they do not.

    Args:
        lines: Without white space around them.
    """
    candidates = [
        (number, value) for number, line in enumerate(lines) if line and len(line) <= 8 and (number == 0 or not lines[number - 1]) and (value := _value(line))
    ]
    found: list[Found] = []
    for number, value in candidates:
        if value == len(found) + 1:
            line = lines[number]
            found.append(Found(number, number + 1, (Heading(Kind.CHAPTER, line, line, is_bare=True, is_certain=True),), line))
    return found if len(found) >= max(_FEWEST, _SHARE * len(candidates)) else []


def _value(line: str) -> int:
    match = _NUMBER.fullmatch(line)
    if not match:
        return 0
    number = match["number"]
    if number.isdecimal():
        return int(number)
    return _roman(number) if number[0] in _ROMAN else _chinese(number)


def _roman(number: str) -> int:
    values = [_ROMAN[digit] for digit in number]
    return sum(-value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True))


def _chinese(number: str) -> int:
    total = digit = 0
    for character in number:
        if character in "十百":
            total += (digit or 1) * (10 if character == "十" else 100)
            digit = 0
        else:
            digit = _CHINESE[character]
    return total + digit
