"""What tasks work on, in words: the scenes and novels of a whole page in two queries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.documents import NOVELS, SCENES

Json = dict[str, Any]

# What names a task's subject, without the texts beside it: of a list of scenes only how many they are.
SUBJECT_FIELDS: Final[Json] = {
    **{f"parameters.{name}": 1 for name in ("sceneId", "novelId", "startChapterId")},
    "sceneCount": {"$cond": [{"$isArray": "$parameters.sceneIds"}, {"$size": {"$ifNull": ["$parameters.sceneIds", []]}}, None]},
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a task works on: scene 2 of chapter 5 of "The Long Rain".

    Attributes:
        subject_id: Of the scene, else of the novel: the filter `about`.
        title: A scene's; "" when it has none.
        number: A scene's, in its chapter.
        chapter: Its chapter's number in the novel; None when there is one chapter only, or none is known.
        scene_count: Of a list of scenes.
        chapters: Whether it is a range of chapters.
        gone: Whether the scene is not there any more.
        novel: The novel's title; "" when it is unknown.
    """

    subject_id: str = ""
    title: str = ""
    number: int | None = None
    chapter: int | None = None
    scene_count: int | None = None
    chapters: bool = False
    gone: bool = False
    novel: str = ""

    @property
    def label(self) -> str:
        """The subject in the reader's language. Not sooner than asked for: subjects are read on a loop that knows no reader."""
        if self.gone:
            return _("A scene that is gone (%(id)s)") % {"id": self.subject_id}
        if self.number is not None:
            place = {"number": self.number, "chapter": self.chapter}
            label = _("Scene %(number)s") % place if self.chapter is None else _("Chapter %(chapter)s, scene %(number)s") % place
            return f"{label} “{self.title}”" if self.title else label
        if self.scene_count is not None:
            return ngettext("%(count)d scene", "%(count)d scenes", self.scene_count) % {"count": self.scene_count}
        return _("A range of chapters") if self.chapters else _("A new scene")

    @property
    def line(self) -> str:
        """Subject and novel in one line, where no mark-up is possible."""
        return _("%(subject)s of “%(novel)s”") % {"subject": self.label, "novel": self.novel} if self.novel else self.label


def marked(subject: Subject | None, address: str = "") -> SafeString | str:
    """Return a subject and its novel as HTML: their order is the language's.

    Args:
        address: Where the subject leads to; "" for nowhere.
    """
    if subject is None:
        return ""
    label = format_html('<a href="{}"><bdi>{}</bdi></a>', address, subject.label) if address else format_html("<bdi>{}</bdi>", subject.label)
    if not subject.novel:
        return label
    # Translators: what a task works on, as in "Scene 12 of The Long Rain".
    return format_html(_("{subject} of {novel}"), subject=label, novel=format_html("<cite><bdi>{}</bdi></cite>", subject.novel))


@dataclass(frozen=True, slots=True)
class _Novel:
    title: str
    chapters: dict[str, int]
    chapter_count: int


async def subjects(db: AsyncDatabase[Json], tasks: Iterable[Json]) -> dict[str, Subject]:
    """Name what tasks work on.

    Args:
        tasks: With `_id` and SUBJECT_FIELDS.

    Returns:
        By task id; a task whose parameters name neither scene nor novel is missing.
    """
    known = {task["_id"]: (task.get("parameters") or {}) | {"sceneCount": task.get("sceneCount")} for task in tasks}
    scene_ids = {scene_id for p in known.values() if (scene_id := _id(p, "sceneId"))}
    fields = {"title": 1, "sequence": 1, "novelId": 1, "chapterId": 1}
    found = db[SCENES].find({"_id": {"$in": sorted(scene_ids)}}, fields) if scene_ids else None
    scenes = {scene["_id"]: scene async for scene in found} if found else {}
    novel_ids = {novel_id for p in known.values() if (novel_id := _id(p, "novelId"))} | {scene["novelId"] for scene in scenes.values()}
    novels = await _novels(db, novel_ids, {scene.get("chapterId", "") for scene in scenes.values()}) if novel_ids else {}
    named = {task_id: _subject(p, scenes, novels) for task_id, p in known.items()}
    return {task_id: subject for task_id, subject in named.items() if subject}


async def _novels(db: AsyncDatabase[Json], novel_ids: set[str], chapter_ids: set[str]) -> dict[str, _Novel]:
    """Read titles, and where in the novels the chapters are: found by the server, so that no table of contents is sent."""
    wanted = sorted(chapter_ids)
    ids = {
        "$reduce": {
            "input": {"$ifNull": ["$acts", []]},
            "initialValue": [],
            "in": {"$concatArrays": ["$$value", {"$ifNull": ["$$this.chapters.chapterId", []]}]},
        }
    }
    stages: list[Json] = [
        {"$match": {"_id": {"$in": sorted(novel_ids)}}},
        {"$project": {"title": 1, "ids": ids}},
        {
            "$project": {
                "title": 1,
                "count": {"$size": "$ids"},
                "places": {"$map": {"input": {"$literal": wanted}, "in": {"$indexOfArray": ["$ids", "$$this"]}}},
            }
        },
    ]
    novels = {}
    async for novel in await db[NOVELS].aggregate(stages):
        places = {chapter_id: place + 1 for chapter_id, place in zip(wanted, novel["places"], strict=True) if place >= 0}
        novels[novel["_id"]] = _Novel(str(novel.get("title", "")), places, novel["count"])
    return novels


def _id(parameters: Json, name: str) -> str | None:
    value = parameters.get(name)
    return value if isinstance(value, str) else None


def _subject(parameters: Json, scenes: Mapping[str, Json], novels: Mapping[str, _Novel]) -> Subject | None:
    scene_id, novel_id = _id(parameters, "sceneId"), _id(parameters, "novelId")
    if scene_id:
        scene = scenes.get(scene_id)
        if scene is None:
            known = novels.get(novel_id or "")
            return Subject(scene_id, gone=True, novel=known.title if known else "")
        novel = novels.get(scene["novelId"])
        chapter = novel.chapters.get(scene.get("chapterId", "")) if novel and novel.chapter_count > 1 else None
        return Subject(scene_id, title=scene.get("title") or "", number=scene.get("sequence", 0), chapter=chapter, novel=novel.title if novel else "")
    if not novel_id:
        return None
    novel = novels.get(novel_id)
    return Subject(
        novel_id,
        scene_count=parameters["sceneCount"],
        chapters=_id(parameters, "startChapterId") is not None,
        novel=novel.title if novel else novel_id,
    )
