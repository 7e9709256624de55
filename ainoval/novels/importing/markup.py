"""XML and HTML, parsed with nothing expanded and nothing fetched, and what of it is text."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from ainoval.novels.errors import UnreadableNovel

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30});")
_OF_XML: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})
_SELF_CLOSED = re.compile(r"<(title|script|style|a|p|div|span|i|b|em|strong)(\s[^<>]*)?/>", re.IGNORECASE)
_BLOCKS: Final = frozenset(
    "address article aside blockquote body center dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section "
    "table td th tr ul".split()
)
_NO_TEXT: Final = frozenset("head script style title svg math object audio video iframe".split())
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_LIMITS: Final = frozenset({"ERR_RESOURCE_LIMIT", "ERR_ENTITY_LOOP"})
_LATEST_DOCTYPE: Final = 4096
_LINE_END: Final = "\x00"
_SPACES = re.compile(r"[ \t\n\u00a0]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a heading: `level` 1 to 6, 0 for none; `linked` is how many of its characters are links."""

    text: str
    level: int
    linked: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal rule."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place with a name."""

    name: str


def parse_xml(data: bytes) -> Any:
    """Return the root of an XML document, repaired where it is not well-formed; raise UnreadableNovel (broken_epub) where that fails too."""
    root = _root(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True))
    if root is None:
        raise UnreadableNovel("The EPUB is damaged: its package cannot be read.", code="broken_epub")
    return root


def parse_document(data: bytes) -> Any:
    """Return the root of an XHTML document: as XML, as the standard asks for, or as HTML where it is not well-formed."""
    text = _without_doctype(_DECLARATION.sub("", _decoded(data)))
    # XML knows five names, and without the DOCTYPE (which may define anything) no others.
    text = _NAMED.sub(lambda match: match[0] if match[1] in _OF_XML else html.unescape(match[0]), text)
    # Without a DOCTYPE nothing can expand; huge_tree lifts the limit of depth, at which the HTML parser would drop the rest without a word.
    strict = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, encoding="utf-8", huge_tree=True)
    root = _root(text.encode(errors="ignore"), strict)
    if root is None:
        # To HTML `<title/>` opens a title that swallows the rest.
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", text)
        root = _root(text.encode(errors="ignore"), etree.HTMLParser(no_network=True, encoding="utf-8", huge_tree=True))
    return root if root is not None else etree.Element("html")


def local_name(element: Any) -> str:
    """Return an element's name without its namespace, in a document's own letters; empty for comments and the like."""
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def text_of(element: Any) -> str:
    """Return all text in an element."""
    return "".join(str(part) for part in element.itertext(etree.Element))


def blocks(root: Any) -> Iterator[Block | Rule | Anchor]:
    """Yield a document's paragraphs, headings, rules and named places in order. A line break within a paragraph is one in its text."""
    paragraph = _Paragraph()
    hidden = 0
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        name = local_name(element).lower()
        starts, is_link = event == "start", name == "a" and element.get("href") is not None
        if starts or event == "end":
            if name in _BLOCKS:
                yield from paragraph.taken()
            if name in _HEADINGS:
                paragraph.level = int(name[1]) if starts else 0
            hidden += (1 if starts else -1) * (name in _NO_TEXT)
            paragraph.links += (1 if starts else -1) * is_link
        if starts:
            if name == "hr":
                yield Rule()
            elif name == "br":
                paragraph.parts.append(_LINE_END)
            if anchor := element.get("id") or (element.get("name") if name == "a" else None):
                paragraph.anchors.append(anchor)
                if paragraph.is_blank:
                    yield from paragraph.taken()
        text = element.text if starts else element.tail
        if text and not hidden:
            paragraph.add(text)
    yield from paragraph.taken()


class _Paragraph:
    """What was read since the last block began or ended."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        # A place in the middle of a paragraph waits for the next one.
        self.anchors: list[str] = []
        self.level = 0
        self.links = 0
        self._linked = 0

    @property
    def is_blank(self) -> bool:
        return all(part.isspace() or part == _LINE_END for part in self.parts)

    def add(self, text: str) -> None:
        self.parts.append(text.replace(_LINE_END, ""))
        self._linked += len(text) if self.links else 0

    def taken(self) -> Iterator[Block | Anchor]:
        lines = [_SPACES.sub(" ", line).strip() for line in "".join(self.parts).split(_LINE_END)]
        text = "\n".join(line for line in lines if line)
        if text:
            yield Block(text, self.level, min(self._linked, len(text)))
        for name in self.anchors:
            yield Anchor(name)
        self.parts.clear()
        self.anchors.clear()
        self._linked = 0


def _root(data: bytes, parser: Any) -> Any:
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    # Parsers that repair stop at their limits (depth, entities) and return what they have, which is not the whole.
    if any(entry.type_name in _LIMITS for entry in parser.error_log):
        raise UnreadableNovel("The EPUB is damaged: one of its documents is nested too deeply.", code="broken_epub")
    return root


def _without_doctype(text: str) -> str:
    # Only where it can stand, and matched once: a search would go through the text again for each further "<!DOCTYPE [".
    at = text[:_LATEST_DOCTYPE].upper().find("<!DOCTYPE")
    match = _DOCTYPE.match(text, at) if at >= 0 else None
    return text[:at] + text[match.end() :] if match else text


def _decoded(data: bytes) -> str:
    declared = _DECLARED.match(data)
    encodings = ["utf-16"] if data.startswith(_UTF16_MARKS) else ["utf-8-sig", *([declared[1].decode()] if declared else [])]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    raise UnreadableNovel("The EPUB is damaged: one of its documents is in another encoding than it says.", code="broken_epub")
