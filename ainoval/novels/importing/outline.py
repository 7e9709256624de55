"""A stream of lines and marks, made a novel: the rules that are the same for every format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ainoval.novels import limits
from ainoval.novels.errors import UnreadableNovel
from ainoval.novels.importing.marks import Kind, Mark, Stream
from ainoval.novels.views import ActInput, ChapterInput
from ainoval.novels.words import is_mostly_cjk


@dataclass(frozen=True, slots=True)
class ParsedScene:
    """A scene: paragraphs as in the file, without blank lines around them."""

    content: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class ParsedChapter:
    """A chapter with its scenes in order."""

    title: str
    scenes: tuple[ParsedScene, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedAct:
    """An act with its chapters in order; without a title where the file has no parts."""

    title: str
    chapters: tuple[ParsedChapter, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedNovel:
    """A novel as read from a file; every text in it fits the limits."""

    title: str
    acts: tuple[ParsedAct, ...]

    @property
    def chapter_count(self) -> int:
        """How many chapters all acts have."""
        return sum(len(act.chapters) for act in self.acts)

    @property
    def scene_count(self) -> int:
        """How many scenes all chapters have."""
        return sum(len(chapter.scenes) for act in self.acts for chapter in act.chapters)

    def as_input(self) -> tuple[ActInput, ...]:
        """Return the acts and chapters as `NovelService` takes them."""
        return tuple(ActInput(act.title, [ChapterInput(chapter.title) for chapter in act.chapters]) for act in self.acts)


_WHITE_SPACE = re.compile(r"[\t\n]+")
_SENTENCE_ENDS: Final = ("。", "！", "？", ". ", "! ", "? ", "”")


def outline(stream: Stream, title: str, *, keep_lines: bool = False) -> ParsedNovel:
    """Make the novel that a stream describes.

    Text before the first heading becomes a chapter of its own, and so does text between an act's heading and its first chapter. Without any heading
    the text is one chapter. A scene over the size limit is cut at the end of a paragraph. A title over its limit is cut, and stands in full
    as the first line of the text under it.

    Args:
        title: The novel's.
        keep_lines: Take lines as they are, white space included (an export); otherwise indentation by ideographic spaces and white space at the
            ends of lines goes.

    Raises:
        UnreadableNovel: empty_novel, too_many_chapters, too_many_scenes.
    """
    builder = _Builder(keep_lines=keep_lines)
    for item in stream:
        if isinstance(item, Mark):
            builder.begin(item)
        else:
            builder.lines.append(item)
    return builder.finished(title)


def cut(text: str, limit: int = limits.CONTENT_BYTES) -> Iterator[str]:
    """Yield a text in pieces of at most so many UTF-8 bytes, none of them blank.

    A piece ends at the last blank line that fits, else at the last line break, else after the last end of a sentence, else at the last space,
    else at the last character that fits. Line breaks and spaces at a cut go, nothing else.
    """
    start = 0
    while start < len(text):
        # A character that the end of the bytes cuts through is left to the next piece.
        head = text[start : start + limit].encode()[:limit].decode(errors="ignore")
        if start + len(head) < len(text):
            ends = (head.rfind("\n\n"), head.rfind("\n"), max(head.rfind(end) + 1 for end in _SENTENCE_ENDS), head.rfind(" "))
            head = head[: next((end for end in ends if end > 0), len(head))]
        start += len(head)
        # Line breaks only after a cut: the first piece keeps the white space the text begins with.
        while start < len(text) and text[start] in "\n ":
            start += 1
        if head.strip():
            yield head.rstrip("\n ") if start < len(text) else head


@dataclass(slots=True)
class _Chapter:
    title: str
    scenes: list[ParsedScene] = field(default_factory=list)


@dataclass(slots=True)
class _Act:
    title: str
    chapters: list[_Chapter] = field(default_factory=list)


class _Builder:
    """Collects lines until a mark ends them."""

    def __init__(self, *, keep_lines: bool) -> None:
        self.lines: list[str] = []
        self._keep_lines = keep_lines
        self._acts: list[_Act] = []
        self._chapter: _Chapter | None = None
        # The title of the scene that a mark began, which is then kept without text too.
        self._scene_title: str | None = None
        self._is_front_matter = True
        self._chapter_count = self._scene_count = 0

    def begin(self, mark: Mark) -> None:
        """End what was, begin what the mark says."""
        self._end_scene()
        title = short_title(mark.title)
        match mark.kind:
            case Kind.ACT:
                self._acts.append(_Act(title))
                self._chapter = None
            case Kind.CHAPTER:
                self._begin_chapter(title)
            case Kind.SCENE:
                self._scene_title = title
            case Kind.BREAK:
                return
        self._is_front_matter = False
        full = _one_line(mark.title)
        if title != full:
            self.lines.append(full)

    def finished(self, title: str) -> ParsedNovel:
        """Return the novel."""
        is_one_text = self._is_front_matter
        self._end_scene()
        if is_one_text and self._chapter is not None:
            self._chapter.title = title
        acts = tuple(ParsedAct(a.title, tuple(ParsedChapter(c.title, tuple(c.scenes)) for c in a.chapters)) for a in self._acts)
        return ParsedNovel(title, acts)

    def _begin_chapter(self, title: str) -> _Chapter:
        if not self._acts:
            self._acts.append(_Act(""))
        self._chapter_count += 1
        if self._chapter_count > limits.CHAPTERS:
            raise UnreadableNovel(f"The file has more than {limits.CHAPTERS:,} chapters; split it.", code="too_many_chapters")
        self._chapter = chapter = _Chapter(title)
        self._acts[-1].chapters.append(chapter)
        return chapter

    def _end_scene(self) -> None:
        text = self._text()
        title, self._scene_title = self._scene_title, None
        if not text and title is None:
            return
        chapter = self._chapter
        if chapter is None:
            # Text of an act, or of the whole file, that comes before the first chapter.
            name = self._acts[-1].title if self._acts else "卷首" if is_mostly_cjk(text) else "Front matter"
            chapter = self._begin_chapter(name)
        pieces = list(cut(text)) or [""]
        self._scene_count += len(pieces)
        if self._scene_count > limits.IMPORT_SCENES:
            raise UnreadableNovel(f"The file has more than {limits.IMPORT_SCENES:,} scenes; split it.", code="too_many_scenes")
        for number, piece in enumerate(pieces):
            chapter.scenes.append(ParsedScene(piece, title or "" if number == 0 else ""))

    def _text(self) -> str:
        lines = self.lines if self._keep_lines else [line.rstrip().lstrip("\u3000") for line in self.lines]
        self.lines = []
        first, last = 0, len(lines)
        while first < last and not lines[first].strip():
            first += 1
        while last > first and not lines[last - 1].strip():
            last -= 1
        return "\n".join(lines[first:last])


def short_title(title: str) -> str:
    """Return a title found in a file as it can be stored: one line, at most 200 characters."""
    title = _one_line(title)
    return title if len(title) <= limits.TITLE_CHARACTERS else title[: limits.TITLE_CHARACTERS - 1].rstrip() + "…"


def _one_line(title: str) -> str:
    return _WHITE_SPACE.sub(" ", title).strip()
