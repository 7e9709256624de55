"""Markdown: headings by level, in our own exports exactly, in other files by what their levels mean."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ainoval.novels.export import MARKER, SCENE_BREAK, unescaped
from ainoval.novels.importing.headings import headings
from ainoval.novels.importing.marks import BREAK, Kind, Mark
from ainoval.novels.importing.text import read_text, with_breaks

_EXPORT_HEADING = re.compile(r"(#{1,4})(?: (.*))?")
_EXPORT_KINDS: Final[Mapping[int, Kind]] = {2: Kind.ACT, 3: Kind.CHAPTER, 4: Kind.SCENE}
_ESCAPED = re.compile(r"\\(?=[#*\-_=~\\])")
_DEEPEST: Final = 6
_FENCE: Final = "---"
_LONGEST_FRONT_MATTER: Final = 100
_LONGEST_PROPERTY: Final = 400
_FRONT_MATTER_TITLE = re.compile(r"title\s*:\s*(?P<quote>[\"']?)(?P<title>.+?)(?P=quote)\s*")


def is_export(text: str) -> bool:
    """Say whether this is a file that `NovelService.export` made."""
    return text.startswith(MARKER)


def read_export(text: str) -> tuple[str | None, Iterator[str | Mark]]:
    """Return the title and the stream of an exported novel: exactly what was written."""
    lines = text.split("\n")[1:]
    title = next((match[2] for line in lines[:1] if (match := _EXPORT_HEADING.fullmatch(line))), None)
    return title, _export_stream(lines[1:] if title is not None else lines)


def _export_stream(lines: Sequence[str]) -> Iterator[str | Mark]:
    for line in lines:
        if (match := _EXPORT_HEADING.fullmatch(line)) and len(match[1]) in _EXPORT_KINDS:
            yield Mark(_EXPORT_KINDS[len(match[1])], match[2] or "")
        elif line == SCENE_BREAK:
            yield BREAK
        else:
            yield unescaped(line)


def read_markdown(text: str, title: str | None = None) -> tuple[str | None, Iterator[str | Mark]]:
    """Return a novel's title, if the file says it, and the stream of its lines and marks.

    Without any `#` heading it is read as plain text. A single first heading above all others is the title. Of the levels that remain, one is the
    chapters', of two the upper is the acts', and a third is the scenes'; where the upper of two is labelled as chapters, the lower is the scenes'.
    Deeper headings are text.

    Args:
        title: What the reader calls it, if anything; wins over the file's.
    """
    own_title, lines = _front_matter(text.split("\n"))
    found = {number: heading for number, line in enumerate(lines) if line.lstrip(" ").startswith("#") and (heading := _heading(line))}
    if not found:
        text_title, stream = read_text("\n".join(lines), title or own_title)
        return title or own_title or text_title, stream
    first = next(iter(found))
    level, first_title = found[first]
    if len(found) == 1 and not headings(first_title):
        own_title = own_title or first_title
    levels = sorted(level for level, _ in found.values())
    is_title = levels.count(level) == 1 and level == levels[0] and len(levels) > 1 and not headings(first_title)
    if is_title and not any(line.strip() for line in lines[:first]):
        own_title = own_title or first_title
        del found[first]
        if first_title == (title or own_title):
            lines[first] = ""
    return title or own_title, _stream(lines, found, _kinds(list(found.values())))


def _heading(line: str) -> tuple[int, str] | None:
    """Return the level and the text of a heading. Not a regular expression: optional closing marks after lazy text take quadratic time."""
    text = line.strip()
    title = text.lstrip("#")
    level = len(text) - len(title)
    if level > _DEEPEST or title[:1] not in (" ", "\t"):
        return None
    title = title.strip()
    opened = title.rstrip("#")
    if opened != title and opened[-1:] in ("", " ", "\t"):
        title = opened.rstrip()
    return (level, title) if title else None


def _front_matter(lines: list[str]) -> tuple[str | None, list[str]]:
    """Split off a YAML block at the top; of it, the title is used."""
    if lines[0].rstrip() != _FENCE:
        return None, lines
    for number, line in enumerate(lines[1:_LONGEST_FRONT_MATTER], start=1):
        if line.rstrip() == _FENCE:
            titles = [match["title"] for entry in lines[1:number] if len(entry) <= _LONGEST_PROPERTY and (match := _FRONT_MATTER_TITLE.fullmatch(entry))]
            return (titles[0], lines[number + 1 :]) if titles else (None, lines)
    return None, lines


def _kinds(found: Sequence[tuple[int, str]]) -> dict[int, Kind]:
    levels = sorted({level for level, _ in found})
    match levels:
        case [_]:
            kinds = [Kind.CHAPTER]
        case [upper, _]:
            labels = [marked[0].kind for level, title in found if level == upper and (marked := headings(title))]
            upper_is_chapters = labels.count(Kind.CHAPTER) * 2 > sum(level == upper for level, _ in found)
            kinds = [Kind.CHAPTER, Kind.SCENE] if upper_is_chapters else [Kind.ACT, Kind.CHAPTER]
        case _:
            kinds = [Kind.ACT, Kind.CHAPTER, Kind.SCENE]
    return dict(zip(levels, kinds, strict=False))


def _stream(lines: Sequence[str], found: Mapping[int, tuple[int, str]], kinds: Mapping[int, Kind]) -> Iterator[str | Mark]:
    body: list[str] = []
    for number, line in enumerate(lines):
        level, title = found.get(number, (0, ""))
        if level in kinds:
            yield from _text(body)
            body = []
            yield Mark(kinds[level], title)
        else:
            body.append(line)
    yield from _text(body)


def _text(lines: Sequence[str]) -> Iterator[str | Mark]:
    for item in with_breaks(lines, gaps_are_breaks=True):
        yield _ESCAPED.sub("", item, count=1) if isinstance(item, str) and item.lstrip().startswith("\\") else item
