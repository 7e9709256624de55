"""The project's pages, as tests read them: their text, code, links and anchors."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_EXPLICIT_ANCHOR = re.compile(r'<a id="([^"]+)">')
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A block of code; `before` is the last line of text above it."""

    language: str
    text: str
    before: str


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path in the project."""
        return str(self.path.relative_to(ROOT))

    @property
    def blocks(self) -> list[Block]:
        """Its blocks of code, in order."""
        found = []
        for match in _FENCE.finditer(self.text):
            lines = [line for line in self.text[: match.start()].splitlines() if line.strip()]
            found.append(Block(match[1], match[2], lines[-1] if lines else ""))
        return found

    @property
    def prose(self) -> str:
        """Everything but the blocks."""
        return _FENCE.sub("", self.text)

    @property
    def code(self) -> list[str]:
        """Everything that is set as code: what stands between backticks, and the lines of the blocks."""
        return _INLINE.findall(self.prose) + [line for block in self.blocks for line in block.text.splitlines()]

    @property
    def links(self) -> list[str]:
        """Where its links and pictures point."""
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What a link into it may name after the `#`, as GitHub makes it of headings."""
        headings = (re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in _HEADING.findall(self.prose))
        return {*headings, *_EXPLICIT_ANCHOR.findall(self.text)}


def page(name: str) -> Page:
    """Return a page by its path in the project."""
    path = ROOT / name
    return Page(path, path.read_text("utf-8"))


def pages() -> list[Page]:
    """Return every page: those of the root folder and those of docs."""
    files = sorted([*ROOT.glob("*.md"), *ROOT.joinpath("docs").rglob("*.md")])
    return [Page(path, path.read_text("utf-8")) for path in files]
