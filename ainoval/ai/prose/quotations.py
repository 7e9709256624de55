"""Where a paragraph quotes speech: Chinese and English quotation marks, curly and straight, with their usual mistakes."""

import re
from typing import NamedTuple

# A quotation that long has lost its closing mark.
_MAX_LENGTH = 1500
_CLOSER = {"“": "”", "「": "」", "『": "』", "‘": "’", '"': '"', "'": "'", "«": "»"}
_MARK = re.compile(r"[“”「」『』‘’\"'«»]")


class Span(NamedTuple):
    """A quotation with its marks: text[start:end]."""

    start: int
    end: int


def quotations(paragraph: str) -> list[Span]:
    """Return the outermost quotations in order; a mark without its partner is no quotation."""
    spans: list[Span] = []
    opened = -1
    wanted = ""
    for match in _MARK.finditer(paragraph):
        mark, at = match.group(), match.start()
        if opened >= 0 and at - opened > _MAX_LENGTH:
            opened = -1
        if opened >= 0 and mark == wanted and _closes(paragraph, at, mark):
            spans.append(Span(opened, at + 1))
            opened = -1
        elif mark in _CLOSER and (opened < 0 or mark == paragraph[opened]) and _opens(paragraph, at, mark):
            opened, wanted = at, _CLOSER[mark]
    return spans


def _opens(text: str, at: int, mark: str) -> bool:
    """Tell an opening mark from an apostrophe."""
    if mark not in "'‘":
        return True
    before = text[at - 1] if at else " "
    after = text[at + 1 : at + 2]
    if mark == "‘":
        return not before.isalnum() or not before.isascii()
    return (before.isspace() or before in "(—–-：，“") and after.isalpha()


def _closes(text: str, at: int, mark: str) -> bool:
    """Tell a closing mark from an apostrophe (don’t, the boys’)."""
    if mark not in "'’":
        return True
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if after.isalpha() and after.isascii():
        return False
    return (mark == "’" and not before.isascii()) or before in ".,!?;:…—–-。！？，”)" or not before.isalnum()
