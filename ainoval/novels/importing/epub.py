"""EPUB: the documents of a book in reading order, with the table of contents saying what begins where.

A book comes from anywhere, so it is read with care: at most so many bytes are unpacked, whatever sizes it claims; only the package, the contents
and the documents of the spine are opened, never images or fonts; entities are not expanded and nothing is fetched. (EbookLib, the usual package,
unpacks every listed item, as often as it is listed, gives up on a missing image, and is under the AGPL.)

Source: https://www.w3.org/TR/epub-33/ (package document, navigation document), https://idpf.org/epub/20/spec/OPF_2.0.1_draft.htm (NCX).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from ainoval.novels.characters import clean
from ainoval.novels.importing.breaks import is_scene_break
from ainoval.novels.importing.epub_contents import Entry, read_contents
from ainoval.novels.importing.epub_package import Archive, Package, read_package
from ainoval.novels.importing.headings import headings
from ainoval.novels.importing.marks import BREAK, Kind, Mark
from ainoval.novels.importing.markup import Anchor, Block, Rule, blocks, parse_document

_Content: TypeAlias = Sequence[Block | Rule | Anchor]

_LINKED_SHARE: Final = 0.7
_LOWEST_CHAPTER_HEADING: Final = 2


def read_epub(data: bytes) -> tuple[str | None, Iterator[str | Mark]]:
    """Return a book's title, if it says it, and the stream of its lines and marks.

    Raises:
        UnreadableNovel: broken_epub, encrypted_epub, epub_too_large.
    """
    archive = Archive(data)
    package = read_package(archive)
    return package.title, _without_empty_chapters(_stream(archive, package))


def _stream(archive: Archive, package: Package) -> Iterator[str | Mark]:
    entries = read_contents(archive, package)
    for path in package.spine:
        if path == package.nav_path or path not in archive:
            # The contents are no text; what is listed and not there (covers, mostly) cannot be read.
            continue
        content = [_cleaned(item) for item in blocks(parse_document(archive.read(path)))]
        if _is_contents_page(content):
            continue
        yield from _by_contents(content, entries.get(path, ())) if entries else _by_headings(content)


def _by_contents(content: _Content, entries: Iterable[Entry]) -> Iterator[str | Mark]:
    anchors = {item.name for item in content if isinstance(item, Anchor)}
    at: dict[str, list[Entry]] = {}
    for entry in entries:
        # A place that is not there is the document's beginning.
        at.setdefault(entry.fragment if entry.fragment in anchors else "", []).append(entry)
    titles = ""
    for item in (Anchor(""), *content):
        match item:
            case Anchor(name):
                if begun := at.pop(name, []):
                    yield from (Mark(entry.kind, entry.title) for entry in begun)
                    titles = _letters(" ".join(entry.title for entry in begun))
            case Rule():
                yield BREAK
            case Block(text, level):
                # A heading that only repeats the title from the contents is no text.
                letters = _letters(text)
                if titles and letters and (letters == titles or (level and letters in titles)):
                    continue
                titles = ""
                yield from _lines(text)


def _by_headings(content: _Content) -> Iterator[str | Mark]:
    pending: list[str] = []
    for item in content:
        match item:
            case Anchor():
                pass
            case Rule():
                yield BREAK
            case Block(text, level) if 0 < level <= _LOWEST_CHAPTER_HEADING:
                pending.append(" ".join(text.split()))
            case Block(text):
                yield from _marks(pending)
                pending.clear()
                yield from _lines(text)
    if any(label.kind is Kind.ACT for title in pending for label in headings(title)):
        yield from _marks(pending)
    else:
        # Headings with nothing under them: a page with the title of the book.
        for title in pending:
            yield from _lines(title)


def _marks(titles: Iterable[str]) -> Iterator[Mark]:
    """Yield what headings without text between them begin: "Chapter 1", "The Wreck" is one chapter; "Part One", "Chapter 1" an act and a chapter."""
    marks: list[Mark] = []
    for title in titles:
        label = next((heading.kind for heading in headings(title)), None)
        if label is None and marks and marks[-1].kind is Kind.CHAPTER:
            marks[-1] = Mark(Kind.CHAPTER, f"{marks[-1].title}: {title}")
        else:
            marks.append(Mark(label or Kind.CHAPTER, title))
    yield from marks


def _lines(text: str) -> Iterator[str | Mark]:
    if is_scene_break(text):
        yield BREAK
    else:
        yield from text.split("\n")
        yield ""


def _without_empty_chapters(stream: Iterable[str | Mark]) -> Iterator[str | Mark]:
    """Yield the stream without chapters that have no text: covers and title pages that are pictures."""
    held: list[Mark] = []
    for item in stream:
        if isinstance(item, Mark) and item.kind in (Kind.ACT, Kind.CHAPTER):
            held = [*(mark for mark in held if mark.kind is Kind.ACT), item]
        elif item != "":
            yield from held
            held = []
            yield item
        elif not held:
            yield item
    yield from (mark for mark in held if mark.kind is Kind.ACT)


def _cleaned(item: Block | Rule | Anchor) -> Block | Rule | Anchor:
    return Block(clean(item.text), item.level, item.linked) if isinstance(item, Block) else item


def _is_contents_page(content: _Content) -> bool:
    paragraphs = [item for item in content if isinstance(item, Block)]
    return sum(item.linked for item in paragraphs) > sum(len(item.text) for item in paragraphs) * _LINKED_SHARE


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
