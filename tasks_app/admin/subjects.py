"""What tasks work on, by title: the scenes and novels of a whole page in two queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.documents import NOVELS, SCENES

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a task works on: "Arrival" in "The Long Rain".

    Attributes:
        title: A scene's, or its id when it is gone.
        number: Of a scene without a title.
        scene_count: Of a list of scenes.
        chapters: Whether it is a range of chapters.
        novel: The novel's title; "" when it is unknown.
    """

    title: str = ""
    number: int | None = None
    scene_count: int | None = None
    chapters: bool = False
    novel: str = ""

    @property
    def label(self) -> str:
        """The subject in the reader's language. Not sooner than asked for: subjects are read on a loop that knows no reader."""
        if self.title:
            return self.title
        if self.number is not None:
            return _("Scene %(number)s") % {"number": self.number}
        if self.scene_count is not None:
            return ngettext("%(count)d scene", "%(count)d scenes", self.scene_count) % {"count": self.scene_count}
        return _("A range of chapters") if self.chapters else _("A new scene")


async def subjects(db: AsyncDatabase[Json], parameters: Mapping[str, Json]) -> dict[str, Subject]:
    """Name what tasks work on.

    Args:
        parameters: By task id, as stored.

    Returns:
        By task id; a task whose parameters name neither scene nor novel is missing.
    """
    scene_ids = {scene_id for p in parameters.values() if (scene_id := _id(p, "sceneId"))}
    found = db[SCENES].find({"_id": {"$in": sorted(scene_ids)}}, {"title": 1, "sequence": 1, "novelId": 1}) if scene_ids else None
    scenes = {scene["_id"]: scene async for scene in found} if found else {}
    novel_ids = {novel_id for p in parameters.values() if (novel_id := _id(p, "novelId"))} | {scene["novelId"] for scene in scenes.values()}
    novels_found = db[NOVELS].find({"_id": {"$in": sorted(novel_ids)}}, {"title": 1}) if novel_ids else None
    novels = {novel["_id"]: novel["title"] async for novel in novels_found} if novels_found else {}
    named = {task_id: _subject(p, scenes, novels) for task_id, p in parameters.items()}
    return {task_id: subject for task_id, subject in named.items() if subject}


def _id(parameters: Json, name: str) -> str | None:
    value = parameters.get(name)
    return value if isinstance(value, str) else None


def _subject(parameters: Json, scenes: Mapping[str, Json], novels: Mapping[str, str]) -> Subject | None:
    scene_id, novel_id = _id(parameters, "sceneId"), _id(parameters, "novelId")
    if scene_id:
        scene = scenes.get(scene_id)
        if scene is None:
            return Subject(title=scene_id, novel=novels.get(novel_id or "", ""))
        return Subject(title=scene.get("title") or "", number=scene.get("sequence", 0), novel=novels.get(scene["novelId"], ""))
    if not novel_id:
        return None
    listed = parameters.get("sceneIds")
    return Subject(
        scene_count=len(listed) if isinstance(listed, list) else None,
        chapters=_id(parameters, "startChapterId") is not None,
        novel=novels.get(novel_id, novel_id),
    )
