"""Plain text: what begins where, found in lines."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ainoval.novels.importing.breaks import is_scene_break
from ainoval.novels.importing.contents_table import Section, without_contents_tables
from ainoval.novels.importing.finding import Found, find_headings
from ainoval.novels.importing.marks import BREAK, Kind, Mark
from ainoval.novels.importing.numbered import find_numbers

_BLANK_LINES_OF_A_BREAK: Final = 3
# Where more than this many gaps are that wide, and more than half of all, with no more text between than a paragraph has, it is how the file sets its
# paragraphs apart.
_MANY_WIDE_GAPS: Final = 20
_LONGEST_PARAGRAPHS: Final = 600
_TITLE_LINE = re.compile(r"(?:title|书名|書名)\s*[:：]\s*(\S.*)", re.IGNORECASE)
_BOOK_MARKS = re.compile(r"《([^《》]+)》")
_TITLE_SEARCHED: Final = 60
_LONGEST_TITLE_LINE: Final = 60
_NO_ENDS_OF_A_TITLE: Final = frozenset(".,;:。，；：")


def read_text(text: str, title: str | None = None) -> tuple[str | None, Iterator[str | Mark]]:
    """Return a novel's title, if the text says it, and the stream of its lines and marks.

    Args:
        title: What the reader calls it, if anything; wins over the text's.
    """
    lines = text.split("\n")
    stripped = [line.strip() for line in lines]
    sections = _sections(lines, find_headings(stripped) or find_numbers(stripped))
    if len(sections) > 1:
        sections = without_contents_tables(sections)
    front = [line.strip() for line in sections[0].lines if line.strip()]
    own_title = _title(front, has_chapters=len(sections) > 1)
    title = title or own_title
    if len(sections) > 1 and len(front) == 1 and own_title is not None and own_title == title:
        sections[0].lines.clear()  # the title stands in the novel's title
    return title, _stream(sections)


def _sections(lines: Sequence[str], found: Sequence[Found]) -> list[Section]:
    has_chapters = any(h.kind is Kind.CHAPTER and not h.is_section for item in found for h in item.headings)
    sections = [Section(None)]
    position = 0
    current_act = None
    for item in found:
        sections[-1].lines.extend(lines[position : item.start])
        *outer, last = item.headings
        for heading in outer:
            # "第一卷 第一章", "第一卷 第二章": the same act, said again.
            if heading != current_act:
                sections.append(Section(heading, heading.title))
            current_act = heading
        if last.kind is Kind.ACT:
            current_act = last
        sections.append(Section(last.as_scene() if last.is_section and has_chapters else last, item.title))
        position = item.end
    sections[-1].lines.extend(lines[position:])
    return sections


def _title(front: Sequence[str], *, has_chapters: bool) -> str | None:
    for line in front[:_TITLE_SEARCHED]:
        if match := _TITLE_LINE.fullmatch(line):
            return match[1]
    if front and (match := _BOOK_MARKS.fullmatch(front[0])):
        return match[1].strip()
    if has_chapters and len(front) == 1 and len(front[0]) <= _LONGEST_TITLE_LINE and front[0][-1] not in _NO_ENDS_OF_A_TITLE:
        return front[0]
    return None


def _stream(sections: Sequence[Section]) -> Iterator[str | Mark]:
    gaps_are_breaks = _gaps_are_breaks(sections)
    for section in sections:
        if section.heading is not None:
            yield Mark(section.heading.kind, section.title)
        yield from with_breaks(section.lines, gaps_are_breaks=gaps_are_breaks)


def with_breaks(lines: Sequence[str], *, gaps_are_breaks: bool) -> Iterator[str | Mark]:
    """Yield the lines, with a break for each line that is one, and for each run of three or more blank lines if those are breaks."""
    blank = 0
    for line in lines:
        stripped = line.strip()
        if not stripped:
            blank += 1
            continue
        if gaps_are_breaks and blank >= _BLANK_LINES_OF_A_BREAK:
            yield BREAK
        else:
            yield from [""] * blank
        blank = 0
        yield BREAK if is_scene_break(stripped) else line


def _gaps_are_breaks(sections: Sequence[Section]) -> bool:
    wide = narrow = characters = 0
    for section in sections:
        blank, in_text = 0, False
        for line in section.lines:
            if not line.strip():
                blank += 1
                continue
            characters += len(line)
            wide += in_text and blank >= _BLANK_LINES_OF_A_BREAK
            narrow += in_text and 0 < blank < _BLANK_LINES_OF_A_BREAK
            blank, in_text = 0, True
    return wide <= _MANY_WIDE_GAPS or wide <= narrow or characters > wide * _LONGEST_PARAGRAPHS
