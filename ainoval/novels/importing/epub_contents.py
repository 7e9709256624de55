"""An EPUB's table of contents: which places in which documents begin an act, a chapter, a scene."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ainoval.novels.characters import clean
from ainoval.novels.importing.epub_package import Archive, Package, resolved
from ainoval.novels.importing.headings import headings
from ainoval.novels.importing.marks import Kind
from ainoval.novels.importing.markup import local_name, parse_document, parse_xml, text_of

# One entry says no more than that there is a book.
_FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in a document; the fragment is empty for its beginning."""

    fragment: str
    title: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Point:
    title: str
    path: str
    fragment: str
    depth: int


def read_contents(archive: Archive, package: Package) -> dict[str, list[Entry]]:
    """Return the entries by document; empty when the book has no contents.

    An entry with others under it is an act, unless it is labelled as a chapter: then those under it are its scenes. A single entry over all others
    stands for the book and is left out.
    """
    points: list[_Point] = []
    if package.nav_path is not None and package.nav_path in archive:
        points = list(_nav_points(archive.read(package.nav_path), posixpath.dirname(package.nav_path)))
    if not points and package.ncx_path is not None and package.ncx_path in archive:
        points = list(_ncx_points(archive.read(package.ncx_path), posixpath.dirname(package.ncx_path)))
    if sum(point.depth == 0 for point in points) == 1 and len(points) > 1 and not headings(points[0].title):
        points = [_Point(p.title, p.path, p.fragment, p.depth - 1) for p in points if p.depth > 0]
    if len(points) < _FEWEST:
        return {}
    entries: dict[str, list[Entry]] = {}
    without_place: list[tuple[str, Kind]] = []
    for point, kind in zip(points, _kinds(points), strict=True):
        without_place.append((point.title, kind))
        if point.path:
            # An act is often only a name in the contents: it begins where the chapter below it does.
            entries.setdefault(point.path, []).extend(Entry(point.fragment, *named) for named in without_place)
            without_place.clear()
    return entries


def _kinds(points: list[_Point]) -> Iterator[Kind]:
    chapter_depth = 0
    for point, following in zip(points, [*points[1:], None], strict=True):
        if point.depth > 0:
            yield Kind.CHAPTER if point.depth <= chapter_depth else Kind.SCENE
            continue
        label = next((heading.kind for heading in headings(point.title)), None)
        has_more = following is not None and following.depth > 0
        chapter_depth = 1 if has_more and label is not Kind.CHAPTER else 0
        yield Kind.ACT if chapter_depth or label is Kind.ACT else Kind.CHAPTER


def _nav_points(data: bytes, folder: str) -> Iterator[_Point]:
    for nav in parse_document(data).iter():
        if local_name(nav) == "nav" and any("toc" in value.split() for name, value in nav.attrib.items() if name.endswith("type")):
            depth = -1
            for event, element in _walk(nav):
                match local_name(element), event:
                    case "ol", "start":
                        depth += 1
                    case "ol", "end":
                        depth -= 1
                    case "li", "start" if depth >= 0:
                        label = next((child for child in element if local_name(child) in ("a", "span")), None)
                        if label is not None and (title := _title(label)):
                            yield _Point(title, *_target(folder, label.get("href") or ""), depth)
            return


def _ncx_points(data: bytes, folder: str) -> Iterator[_Point]:
    depth = -1
    title = ""
    for event, element in _walk(parse_xml(data)):
        match local_name(element), event:
            case "navPoint", "start":
                depth += 1
            case "navPoint", "end":
                depth -= 1
            case "navLabel", "start" if depth >= 0:
                title = _title(element)
            case "content", "start" if depth >= 0:
                yield _Point(title, *_target(folder, element.get("src") or ""), depth)


def _target(folder: str, reference: str) -> tuple[str, str]:
    return resolved(folder, reference) if reference else ("", "")


def _title(element: Any) -> str:
    return " ".join(clean(text_of(element)).split())


def _walk(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield the starts and ends of elements below this one, without recursion: a book may nest them thousands deep."""
    stack = [(root, iter(root))]
    while stack:
        parent, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            if stack:
                yield "end", parent
        elif isinstance(child.tag, str):
            yield "start", child
            stack.append((child, iter(child)))
