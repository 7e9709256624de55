"""Which lines of a text are headings, judged by the line itself and by its neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ainoval.novels.errors import UnreadableNovel
from ainoval.novels.importing.breaks import is_scene_break
from ainoval.novels.importing.headings import Heading, headings, without_page_number
from ainoval.novels.words import is_mostly_cjk

_MOST_HEADINGS: Final = 50_000
_LONGEST_TITLE: Final = 60
_LONGEST_CHINESE_TITLE: Final = 20
_SENTENCE_MARKS: Final = frozenset('。，；：！？…”」.,;:!?"')


@dataclass(frozen=True, slots=True)
class Found:
    """Headings at `lines[start:end]`; the last one's title includes a title line that follows its label."""

    start: int
    end: int
    headings: tuple[Heading, ...]
    title: str


def find_headings(lines: Sequence[str]) -> list[Found]:
    """Return the headings of a text in order.

    Args:
        lines: Without white space around them.

    Raises:
        UnreadableNovel: too_many_chapters, for a file that is all headings.
    """
    width = _wrap_width(lines)
    found: list[Found] = []
    end = 0
    for number, line in enumerate(lines):
        if number < end:
            continue
        of_line = headings(line) or headings(without_page_number(line))
        if not of_line or not (of_line[-1].is_certain or width is None or _stands_alone(lines, number, width, follows=end == number)):
            continue
        title = _title_below(lines, number) if of_line[-1].is_bare else ""
        end = number + (2 if title else 1)
        own = line.strip("* ") if len(of_line) == 1 else of_line[-1].title
        separator = ": " if title and own[-1].isalnum() and own.isascii() else " "
        found.append(Found(number, end, of_line, f"{own}{separator}{title}" if title else own))
        if len(found) > _MOST_HEADINGS:
            raise UnreadableNovel("The file has too many headings to be a novel.", code="too_many_chapters")
    return found


def _wrap_width(lines: Sequence[str]) -> int | None:
    """Return the column at which a file with hard line breaks wraps, or None where each paragraph is one line."""
    lengths = sorted(len(line) for line in lines if line)
    if len(lengths) < 20:
        return None
    widest = lengths[int(len(lengths) * 0.95)]
    return widest if lengths[len(lengths) // 2] >= 40 and widest <= 100 else None


def _stands_alone(lines: Sequence[str], number: int, width: int, *, follows: bool) -> bool:
    """Say whether a line in a wrapped file was broken on purpose, instead of being any line of a paragraph."""
    if number and lines[number - 1] and not follows:
        return False
    below = lines[number + 1] if number + 1 < len(lines) else ""
    if not below or headings(below):
        return True
    # Wrapping would have filled this line with the next word, had there been no intention.
    return len(lines[number]) + 1 + len(below.split()[0]) <= width


def _title_below(lines: Sequence[str], number: int) -> str:
    """Return the line directly below a bare label if it is the chapter's title: short, not a sentence, and followed by a blank line or a heading."""
    if number + 2 >= len(lines):
        return ""
    title, after = lines[number + 1], lines[number + 2]
    if not title or (after and not headings(after)) or headings(title) or is_scene_break(title):
        return ""
    longest = _LONGEST_CHINESE_TITLE if is_mostly_cjk(title) else _LONGEST_TITLE
    if len(title) > longest or title[0].islower():
        return ""
    return title if title.isupper() or title[-1] not in _SENTENCE_MARKS else ""
