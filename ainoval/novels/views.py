"""What the services return: frozen values, so that nobody mistakes them for the stored documents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ChapterView:
    """A chapter of a novel."""

    chapter_id: str
    title: str


@dataclass(frozen=True, slots=True)
class ActView:
    """An act with its chapters in order."""

    act_id: str
    title: str
    chapters: tuple[ChapterView, ...]


@dataclass(frozen=True, slots=True)
class NovelView:
    """A novel without its scenes."""

    novel_id: str
    author: str
    title: str
    acts: tuple[ActView, ...]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build the view of a stored novel."""
        acts = tuple(ActView(act["actId"], act["title"], tuple(ChapterView(c["chapterId"], c["title"]) for c in act["chapters"])) for act in document["acts"])
        return cls(document["_id"], document["author"], document["title"], acts, document["createdAt"], document["updatedAt"])

    def chapters(self) -> Iterator[ChapterView]:
        """Yield the chapters in reading order, across acts."""
        for act in self.acts:
            yield from act.chapters


@dataclass(frozen=True, slots=True)
class ChapterInput:
    """A chapter as a writer gives it: with the id of one that exists, or without to make a new one."""

    title: str
    chapter_id: str | None = None


@dataclass(frozen=True, slots=True)
class ActInput:
    """An act as a writer gives it: with the id of one that exists, or without to make a new one."""

    title: str
    chapters: Sequence[ChapterInput] = ()
    act_id: str | None = None


@dataclass(frozen=True, slots=True)
class SceneSummary:
    """A scene in a list: everything but its content."""

    scene_id: str
    novel_id: str
    chapter_id: str
    sequence: int
    title: str
    summary: str
    word_count: int
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build the view of a stored scene."""
        return cls(**_scene_fields(document))


@dataclass(frozen=True, slots=True)
class SceneView:
    """A scene with its content."""

    scene_id: str
    novel_id: str
    chapter_id: str
    sequence: int
    title: str
    content: str
    summary: str
    word_count: int
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build the view of a stored scene."""
        return cls(content=document["content"], **_scene_fields(document))


@dataclass(frozen=True, slots=True)
class SceneBrief:
    """What a batch needs to know of a scene to decide whether there is work: no texts. One without a letter or digit counts as none."""

    scene_id: str
    chapter_id: str
    sequence: int
    title: str
    version: int
    has_content: bool
    has_summary: bool

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build the view of a row in the brief projection."""
        return cls(
            scene_id=document["_id"],
            chapter_id=document["chapterId"],
            sequence=document["sequence"],
            title=document["title"],
            version=document["version"],
            has_content=document["hasContent"],
            has_summary=document["hasSummary"],
        )


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A text a scene had before a change; `version` is the version that had it, `task_id` the task that replaced it (None: the writer)."""

    text: str
    field: str
    version: int
    task_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class AppliedText:
    """A task's write into a novel: `version` is the scene's version that the write made, `already` that an earlier call had made it."""

    scene_id: str
    version: int
    already: bool


@dataclass(frozen=True, slots=True)
class ImportedNovel:
    """A novel that was stored from a file."""

    novel_id: str
    title: str
    chapter_count: int
    scene_count: int


def _scene_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "scene_id": document["_id"],
        "novel_id": document["novelId"],
        "chapter_id": document["chapterId"],
        "sequence": document["sequence"],
        "title": document["title"],
        "summary": document["summary"],
        "word_count": document["wordCount"],
        "version": document["version"],
        "created_at": document["createdAt"],
        "updated_at": document["updatedAt"],
    }
