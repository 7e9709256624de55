"""Tables of contents: headings without text, which must not become empty chapters."""

from dataclasses import dataclass, field
from typing import Final

from ainoval.novels.importing.headings import Heading
from ainoval.novels.importing.marks import Kind

_FEWEST_ENTRIES: Final = 3
_NAMES: Final = frozenset({"contents", "table of contents", "目录", "目錄", "目 录", "目　录"})


@dataclass(slots=True)
class Section:
    """A heading and the lines under it; the first section of a text, before any heading, has none."""

    heading: Heading | None
    title: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def has_text(self) -> bool:
        """Whether any line is not blank."""
        return any(line.strip() for line in self.lines)

    def is_a(self, kind: Kind) -> bool:
        """Whether this begins such a thing."""
        return self.heading is not None and self.heading.kind is kind


def without_contents_tables(sections: list[Section]) -> list[Section]:
    """Return the sections without entries of tables of contents.

    An entry is a chapter without text that either stands among three or more of its like with nothing between them, or comes again later. An act
    without text goes with such entries, unless it stands right before a chapter that stays. Lines under a table's last entry (a dedication, say)
    move to the section before the table.
    """
    last_of_key = {section.heading.key: number for number, section in enumerate(sections) if section.heading is not None}
    kept: list[Section] = sections[:1]
    start = 1
    while start < len(sections):
        end = start
        while end < len(sections) - 1 and not sections[end].has_text:
            end += 1
        # sections[start:end] have no text; sections[end] has, or is the last of all.
        run = sections[start : end + 1]
        kept.extend(_stays(run, start, last_of_key, kept[-1]))
        start = end + 1
    return kept


def _stays(run: list[Section], start: int, last_of_key: dict[str, int], before: Section) -> list[Section]:
    *empty, last = run
    if not last.has_text:
        empty = run
    is_table = sum(section.is_a(Kind.CHAPTER) for section in empty) >= _FEWEST_ENTRIES
    dropped = {
        number
        for number, section in enumerate(empty)
        if section.is_a(Kind.CHAPTER) and section.heading and (is_table or last_of_key[section.heading.key] > start + number)
    }
    if last.has_text and is_table and last.heading and last_of_key[last.heading.key] > start + len(empty):
        earlier = {section.heading.key for section in empty if section.heading}
        if last.heading.key not in earlier:
            dropped.add(len(empty))
    if not dropped:
        return run
    # Acts among the entries go with them; those after the last entry begin the text.
    dropped |= {number for number, section in enumerate(empty) if number < max(dropped) and section.is_a(Kind.ACT) and is_table}
    _remove_name(before)
    for number in sorted(dropped):
        before.lines.extend(run[number].lines)
    return [section for number, section in enumerate(run) if number not in dropped]


def _remove_name(section: Section) -> None:
    while section.lines and not section.lines[-1].strip():
        section.lines.pop()
    if section.lines and section.lines[-1].strip().casefold().rstrip(":：") in _NAMES:
        section.lines.pop()
