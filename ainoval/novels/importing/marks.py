"""The stream between the formats and the outline: lines of text, and marks that say what begins here."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Kind(StrEnum):
    """What a mark begins."""

    ACT = "act"
    CHAPTER = "chapter"
    # A scene that was marked as one, by a title or in an export: kept even without text.
    SCENE = "scene"
    # A line that separates scenes.
    BREAK = "break"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something begins here."""

    kind: Kind
    title: str = ""


Stream: TypeAlias = Iterable[str | Mark]

BREAK = Mark(Kind.BREAK)
