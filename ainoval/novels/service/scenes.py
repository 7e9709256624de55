"""Scenes: read them, write them by hand, and let tasks write them."""

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from ainoval.ids import derived_id, new_id
from ainoval.moments import now
from ainoval.novels import limits
from ainoval.novels.documents import SCENES
from ainoval.novels.errors import BadNovel, BadRange, ChapterNotFound, SceneChanged, SceneNotFound
from ainoval.novels.service.changes import change
from ainoval.novels.service.ownership import is_id, own_novel, own_scene
from ainoval.novels.service.reading_order import ReadingOrder, chapter_ids, page_of_ids
from ainoval.novels.views import AppliedText, HistoryView, SceneBrief, SceneSummary, SceneView
from ainoval.novels.words import word_count

# Named outside the class, in which `list` is a method.
_Page: TypeAlias = tuple[list[SceneSummary], int]
_Briefs: TypeAlias = list[SceneBrief]
_Ids: TypeAlias = list[str]
_History: TypeAlias = list[HistoryView]

_WITHOUT_TEXTS: Final = {"history": 0, "content": 0}


def _has_words(field: str) -> dict[str, Any]:
    # As `words.has_words`; the search stops at the first letter or digit.
    return {"$regexMatch": {"input": {"$ifNull": [field, ""]}, "regex": r"[\p{L}\p{N}]"}}


# The server looks whether there are texts; they do not cross the wire.
_BRIEF: Final[dict[str, Any]] = {
    "chapterId": 1,
    "sequence": 1,
    "title": 1,
    "version": 1,
    "hasContent": _has_words("$content"),
    "hasSummary": _has_words("$summary"),
}


class SceneService:
    """The scenes of one database.

    Args:
        db: A database whose client belongs to the running event loop.
    """

    def __init__(self, db: AsyncDatabase[dict[str, Any]]) -> None:
        self._db = db
        self._scenes = db[SCENES]

    async def get(self, author_id: str, scene_id: str) -> SceneView:
        """Return a scene with its content, or raise SceneNotFound."""
        return SceneView.from_document(await own_scene(self._db, author_id, scene_id))

    async def require(self, author_id: str, scene_id: str) -> None:
        """Raise SceneNotFound unless the author has this scene."""
        await own_scene(self._db, author_id, scene_id, without=("content", "summary"))

    async def history(self, author_id: str, scene_id: str) -> _History:
        """Return the texts the scene had before, oldest first (at most 20 and 4 MiB), or raise SceneNotFound."""
        await own_scene(self._db, author_id, scene_id, without=("content", "summary"))
        stored = await self._scenes.find_one({"_id": scene_id}, {"history": 1}) or {}
        return [HistoryView(e["text"], e["field"], e["version"], e["taskId"], e["at"]) for e in stored.get("history", [])]

    async def list(self, author_id: str, novel_id: str, *, chapter_id: str | None = None, offset: int = 0, limit: int = 20) -> _Page:
        """Return one page of a novel's scenes in reading order, without contents, and how many there are.

        Args:
            chapter_id: Only this chapter's. One that does not exist has no scenes.

        Raises:
            NovelNotFound: The novel does not exist or belongs to somebody else.
        """
        novel = await own_novel(self._db, author_id, novel_id, "acts.chapters.chapterId")
        chapters = chapter_ids(novel)
        if limit < 1 or offset < 0:
            raise ValueError("offset begins at 0 and limit at 1")  # MongoDB reads limit 0 as "all of them"
        if chapter_id is None:
            ids, total = await page_of_ids(self._db, novel_id, chapters, offset, limit)
            found = {doc["_id"]: doc async for doc in self._scenes.find({"_id": {"$in": ids}}, _WITHOUT_TEXTS)}
            rows = [found[scene_id] for scene_id in ids if scene_id in found]
        elif is_id(chapter_id):
            of_chapter = {"novelId": novel_id, "chapterId": chapter_id}
            total = await self._scenes.count_documents(of_chapter)
            cursor = self._scenes.find(of_chapter, _WITHOUT_TEXTS).sort([("sequence", 1), ("_id", 1)]).skip(offset).limit(limit)
            rows = await cursor.to_list()
        else:
            rows, total = [], 0
        return [SceneSummary.from_document(row) for row in rows], total

    async def ids(self, author_id: str, novel_id: str) -> _Ids:
        """Return the ids of all scenes of a novel, in no particular order (read from the index alone), or raise NovelNotFound."""
        await own_novel(self._db, author_id, novel_id)
        return [row["_id"] async for row in self._scenes.find({"novelId": novel_id}, {"_id": 1})]

    async def create(
        self,
        author_id: str,
        novel_id: str,
        chapter_id: str,
        *,
        title: str = "",
        content: str = "",
        summary: str = "",
        sequence: int | None = None,
        scene_id: str | None = None,
    ) -> SceneView:
        """Store a new scene with version 1.

        Args:
            sequence: Its place in the chapter; scenes with the same one are read in the order of their ids. None puts it at the end.
            scene_id: An id that makes a repeat of the call harmless; a scene that has it already is returned as it is.

        Raises:
            NovelNotFound, ChapterNotFound: There is no such place.
            SceneNotFound: `scene_id` is taken by a scene elsewhere.
            BadNovel: A text is too large or cannot be stored.
        """
        return (await self._create(author_id, novel_id, chapter_id, title, content, summary, sequence, scene_id or new_id()))[0]

    async def update(
        self,
        author_id: str,
        scene_id: str,
        *,
        version: int,
        title: str | None = None,
        content: str | None = None,
        summary: str | None = None,
    ) -> SceneView:
        """Change what is given, if the scene still has this version, and add 1 to the version.

        Values that are already there are no change: an editor that saves the same text again does not push older texts out of the history or make a
        running task's result stale.

        Raises:
            SceneNotFound: It does not exist or belongs to somebody else.
            SceneChanged: It has another version.
            BadNovel: A text is too large or cannot be stored.
        """
        given: dict[str, str] = {}
        if title is not None:
            given["title"] = limits.checked_title(title)
        if content is not None:
            given["content"] = limits.checked_content(content)
        if summary is not None:
            given["summary"] = limits.checked_summary(summary)
        scene = await own_scene(self._db, author_id, scene_id)
        if scene["version"] != version:
            raise SceneChanged(expected_version=version, current_version=scene["version"])
        changed = {field: text for field, text in given.items() if scene[field] != text}
        if not changed:
            return SceneView.from_document(scene)
        updated = await self._scenes.find_one_and_update(
            {"_id": scene_id, "version": version},
            change(changed),
            projection={"history": 0},
            return_document=ReturnDocument.AFTER,
        )
        if updated is None:
            raise await self._why_not(scene_id, version)
        return SceneView.from_document(updated)

    async def in_range(self, author_id: str, novel_id: str, start_chapter_id: str, end_chapter_id: str) -> _Briefs:
        """Return the scenes from one chapter to another, both included, in reading order across acts.

        Raises:
            NovelNotFound, ChapterNotFound: There is no such novel or chapter.
            BadRange: `end_before_start`.
            BadNovel: `too_many_scenes`, more than 10,000.
        """
        chapters = chapter_ids(await own_novel(self._db, author_id, novel_id, "acts.chapters.chapterId"))
        try:
            first, last = chapters.index(start_chapter_id), chapters.index(end_chapter_id)
        except ValueError:
            raise ChapterNotFound from None
        if last < first:
            raise BadRange
        wanted = chapters[first : last + 1]
        query = {"novelId": novel_id, "chapterId": {"$in": wanted}}
        rows = await self._scenes.find(query, _BRIEF, limit=limits.RANGE_SCENES + 1).to_list()
        if len(rows) > limits.RANGE_SCENES:
            message = f"A range has at most {limits.RANGE_SCENES:,} scenes; choose fewer chapters."
            raise BadNovel(message, code="too_many_scenes", details={"limit": limits.RANGE_SCENES}, field="endChapterId")
        rows.sort(key=ReadingOrder.of(wanted).key)
        return [SceneBrief.from_document(row) for row in rows]

    async def by_ids(self, author_id: str, novel_id: str, scene_ids: Iterable[str]) -> _Briefs:
        """Return these scenes of a novel in the order of the ids, each once.

        Raises:
            NovelNotFound: The novel does not exist or belongs to somebody else.
            SceneNotFound: Any of them is missing or in another novel.
        """
        await own_novel(self._db, author_id, novel_id)
        ids = list(dict.fromkeys(scene_ids))
        if not all(map(is_id, ids)):
            raise SceneNotFound
        found = {row["_id"]: row async for row in self._scenes.find({"_id": {"$in": ids}, "novelId": novel_id}, _BRIEF)}
        if len(found) < len(ids):
            raise SceneNotFound
        return [SceneBrief.from_document(found[scene_id]) for scene_id in ids]

    async def apply_text(
        self,
        author_id: str,
        scene_id: str,
        *,
        field: Literal["summary", "content"],
        text: str,
        expected_version: int | None,
        task_id: str,
    ) -> AppliedText:
        """Write a task's text into a scene, once however often it is called.

        It is one conditional write: the expected version, and no history entry of this task. A call whose predecessor was executed but not answered
        finds the entry of its task and reports `already`, with the version that write made, also after later edits and also with force.

        Args:
            expected_version: The version whose text the task worked on; None overrides whatever is there.

        Raises:
            SceneNotFound: The scene or its novel is gone, or belongs to somebody else, at this moment.
            SceneChanged: It has another version.
            BadNovel: The text is too large or cannot be stored.
        """
        text = limits.checked_content(text) if field == "content" else limits.checked_summary(text)
        await own_scene(self._db, author_id, scene_id, without=("content", "summary"))
        condition: dict[str, Any] = {"_id": scene_id, "history.taskId": {"$ne": task_id}}
        if expected_version is not None:
            condition["version"] = expected_version
        updated = await self._scenes.find_one_and_update(
            condition,
            change({field: text}, task_id=task_id),
            projection={"version": 1},
            return_document=ReturnDocument.AFTER,
        )
        if updated is not None:
            return AppliedText(scene_id, updated["version"], already=False)
        own = await self._scenes.find_one({"_id": scene_id, "history.taskId": task_id}, {"history.taskId": 1, "history.version": 1})
        if own is not None:
            replaced = next(entry["version"] for entry in own["history"] if entry["taskId"] == task_id)
            return AppliedText(scene_id, replaced + 1, already=True)
        raise await self._why_not(scene_id, expected_version)

    async def create_from_task(
        self, author_id: str, novel_id: str, chapter_id: str, *, task_id: str, title: str = "", content: str, summary: str = ""
    ) -> AppliedText:
        """Store a task's text as a new scene at the end of a chapter, once however often it is called: the scene's id derives from the task's.

        Raises:
            NovelNotFound, ChapterNotFound: There is no such place any more.
            BadNovel: A text is too large or cannot be stored.
        """
        await own_novel(self._db, author_id, novel_id)
        scene_id = derived_id("scene", task_id)
        # Looked for first: the chapter may have gone since the scene was made.
        if await self._scenes.find_one({"_id": scene_id, "novelId": novel_id}, {"_id": 1}) is not None:
            return AppliedText(scene_id, 1, already=True)
        _, already = await self._create(author_id, novel_id, chapter_id, title, content, summary, None, scene_id)
        return AppliedText(scene_id, 1, already)

    async def _create(
        self,
        author_id: str,
        novel_id: str,
        chapter_id: str,
        title: str,
        content: str,
        summary: str,
        sequence: int | None,
        scene_id: str,
    ) -> tuple[SceneView, bool]:
        """Return the scene and whether it was there already."""
        fields = {
            "title": limits.checked_title(title),
            "content": limits.checked_content(content),
            "summary": limits.checked_summary(summary),
        }
        if sequence is not None:
            limits.checked_sequence(sequence)
        await self._require_chapter(author_id, novel_id, chapter_id)
        at = now()
        document = {
            "_id": scene_id,
            "novelId": novel_id,
            "chapterId": chapter_id,
            "sequence": await self._next_sequence(novel_id, chapter_id) if sequence is None else sequence,
            **fields,
            "wordCount": word_count(content),
            "version": 1,
            "history": [],
            "createdAt": at,
            "updatedAt": at,
        }
        try:
            await self._scenes.insert_one(document)
        except DuplicateKeyError:
            scene = await own_scene(self._db, author_id, scene_id)
            if scene["novelId"] != novel_id:
                raise SceneNotFound from None
            return SceneView.from_document(scene), True
        return SceneView.from_document(document), False

    async def _require_chapter(self, author_id: str, novel_id: str, chapter_id: str) -> None:
        novel = await own_novel(self._db, author_id, novel_id, "acts.chapters.chapterId")
        if chapter_id not in chapter_ids(novel):
            raise ChapterNotFound

    async def _next_sequence(self, novel_id: str, chapter_id: str) -> int:
        last = await self._scenes.find_one({"novelId": novel_id, "chapterId": chapter_id}, {"_id": 0, "sequence": 1}, sort=[("sequence", -1), ("_id", -1)])
        return 1 if last is None else min(last["sequence"] + 1, limits.MAX_SEQUENCE)

    async def _why_not(self, scene_id: str, expected_version: int | None) -> Exception:
        """Return the error of a conditional write that matched nothing."""
        current = await self._scenes.find_one({"_id": scene_id}, {"version": 1})
        if current is None or expected_version is None:
            return SceneNotFound()
        return SceneChanged(expected_version=expected_version, current_version=current["version"])
