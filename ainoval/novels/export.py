"""A novel as Markdown, for people to read and for `parse_novel` to read back.

Levels of headings are fixed: `#` the novel, `##` an act, `###` a chapter, `####` a scene's title; `***` separates scenes without one. The first line
says so, because other Markdown files use other levels. A line of the text that looks like one of these gets a backslash before it, which reading
takes away again, so a scene's own words never become structure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ainoval.novels.characters import clean
from ainoval.novels.views import NovelView

MARKER: Final = "<!-- AINoval novel: # title, ## act, ### chapter, #### scene, *** next scene -->"
SCENE_BREAK: Final = "***"
_STRUCTURAL: Final = ("#", "\\", SCENE_BREAK)


@dataclass(frozen=True, slots=True)
class ExportedScene:
    """What an export shows of a scene."""

    title: str
    content: str


def render(novel: NovelView, scenes: Mapping[str, Sequence[ExportedScene]]) -> str:
    """Return the novel as Markdown.

    Args:
        novel: Its acts and chapters give the order.
        scenes: The scenes of each chapter in order, by chapter id.
    """
    return "\n".join(_lines(novel, scenes)) + "\n"


def unescaped(line: str) -> str:
    """Return a line of an exported file as it was in the scene."""
    text = line.lstrip()
    return line[: len(line) - len(text)] + text[1:] if text.startswith("\\") else line


def _lines(novel: NovelView, scenes: Mapping[str, Sequence[ExportedScene]]) -> Iterator[str]:
    yield MARKER
    yield f"# {novel.title}"
    for act in novel.acts:
        yield ""
        yield f"## {act.title}".rstrip()
        for chapter in act.chapters:
            yield ""
            yield f"### {chapter.title}".rstrip()
            for number, scene in enumerate(scenes.get(chapter.chapter_id, ())):
                yield from _scene(scene, is_first=number == 0)


def _scene(scene: ExportedScene, *, is_first: bool) -> Iterator[str]:
    lines = clean(scene.content).split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    # An empty scene needs a mark of its own, and so does a scene with a title; of others only the second and later ones do.
    if scene.title or not lines:
        yield ""
        yield f"#### {scene.title}".rstrip()
    elif not is_first:
        yield ""
        yield SCENE_BREAK
    if lines:
        yield ""
    yield from map(_escaped, lines)


def _escaped(line: str) -> str:
    text = line.lstrip()
    return line[: len(line) - len(text)] + "\\" + text if text.startswith(_STRUCTURAL) else line
