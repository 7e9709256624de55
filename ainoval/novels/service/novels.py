"""Novels: their titles, acts and chapters, and the whole of them at once (import, export, deletion)."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.ids import new_id
from ainoval.moments import now
from ainoval.novels import limits
from ainoval.novels.documents import NOVELS, SCENES
from ainoval.novels.errors import BadNovel, NovelNotFound
from ainoval.novels.export import ExportedScene, render
from ainoval.novels.importing.outline import ParsedNovel
from ainoval.novels.service.ownership import is_id, own_novel
from ainoval.novels.service.reading_order import ReadingOrder
from ainoval.novels.service.structure import removed_chapters, structure
from ainoval.novels.views import ActInput, ChapterView, ImportedNovel, NovelView
from ainoval.novels.words import word_count

_Page: TypeAlias = tuple[list[NovelView], int]
_Chapters: TypeAlias = list[ChapterView]
_Document: TypeAlias = dict[str, Any]
_Documents: TypeAlias = list[dict[str, Any]]

_WHOLE: Final = ("author", "title", "acts", "createdAt", "updatedAt")
# Small enough that encoding one batch does not hold up the event loop.
_BATCH_BYTES: Final = 2 * 1024 * 1024
_BATCH_SCENES: Final = 1_000
_UPDATE_ATTEMPTS: Final = 5


class NovelService:
    """The novels of one database.

    Args:
        db: A database whose client belongs to the running event loop.
    """

    def __init__(self, db: AsyncDatabase[dict[str, Any]]) -> None:
        self._db = db
        self._novels = db[NOVELS]
        self._scenes = db[SCENES]

    async def create(self, author_id: str, title: str, acts: Sequence[ActInput] = ()) -> NovelView:
        """Store a new novel, with acts and chapters if given (without ids: it makes them).

        Raises:
            BadNovel: A title, or the number of acts or chapters, is past its limit, or an id is given.
        """
        return await self._insert(author_id, new_id(), limits.checked_title(title, required=True), structure(acts, existing=[]))

    async def get(self, author_id: str, novel_id: str) -> NovelView:
        """Return a novel, or raise NovelNotFound."""
        return NovelView.from_document(await own_novel(self._db, author_id, novel_id, *_WHOLE))

    async def list(self, author_id: str, *, offset: int = 0, limit: int = 20) -> _Page:
        """Return one page of the author's novels, newest first, and how many there are."""
        if limit < 1 or offset < 0:
            raise ValueError("offset begins at 0 and limit at 1")  # MongoDB reads limit 0 as "all of them"
        total = await self._novels.count_documents({"author": author_id})
        cursor = self._novels.find({"author": author_id}).sort([("createdAt", -1), ("_id", -1)]).skip(offset).limit(limit)
        return [NovelView.from_document(document) async for document in cursor], total

    async def chapters(self, author_id: str, novel_id: str) -> _Chapters:
        """Return a novel's chapters in reading order, across acts, or raise NovelNotFound."""
        return list((await self.get(author_id, novel_id)).chapters())

    async def update(self, author_id: str, novel_id: str, *, title: str | None = None, acts: Sequence[ActInput] | None = None) -> NovelView:
        """Change the title, or replace the whole list of acts, or both.

        Args:
            acts: The new list. Acts and chapters with an id keep it wherever they are moved; those without get new ones; those left out go, which a
                chapter can only while it has no scenes.

        Raises:
            NovelNotFound: It does not exist or belongs to somebody else.
            BadNovel: `unknown_act`, `unknown_chapter`, `duplicate_id`, `chapter_not_empty` (with `chapterIds`), `novel_changed` when others keep
                changing the novel at the same time, or a title or number past its limit.
        """
        new_title = None if title is None else limits.checked_title(title, required=True)
        for _ in range(_UPDATE_ATTEMPTS):
            stored = await own_novel(self._db, author_id, novel_id, *_WHOLE)
            # Always later than before, so that the write below cannot take a change in the same millisecond for what was read here.
            fields: dict[str, Any] = {"updatedAt": max(now(), stored["updatedAt"] + timedelta(milliseconds=1))}
            if new_title is not None:
                fields["title"] = new_title
            if acts is not None:
                fields["acts"] = structure(acts, existing=stored["acts"])
                await self._require_empty(novel_id, removed_chapters(stored["acts"], fields["acts"]))
            result = await self._novels.update_one({"_id": novel_id, "author": author_id, "updatedAt": stored["updatedAt"]}, {"$set": fields})
            if result.matched_count:
                return NovelView.from_document({**stored, **fields})
        raise BadNovel("The novel is being changed by others at the same time; try again.", code="novel_changed")

    async def delete(self, author_id: str, novel_id: str) -> None:
        """Delete a novel and its scenes, or raise NovelNotFound.

        The novel goes first: from then on nobody can see its scenes, so a crash in between leaves only what `delete_orphans` removes.
        """
        if not is_id(novel_id) or not (await self._novels.delete_one({"_id": novel_id, "author": author_id})).deleted_count:
            raise NovelNotFound
        await self._scenes.delete_many({"novelId": novel_id})

    async def delete_orphans(self, *, created_before: datetime) -> int:
        """Delete scenes whose novel does not exist and return how many: what crashes in deletions and imports leave. Safe at any time.

        Args:
            created_before: Spares younger scenes, whose import may still be running: an hour ago is ample.
        """
        deleted = 0
        async for row in await self._scenes.aggregate([{"$group": {"_id": "$novelId"}}]):
            novel_id = row["_id"]
            if await self._novels.find_one({"_id": novel_id}, {"_id": 1}) is None:
                deleted += (await self._scenes.delete_many({"novelId": novel_id, "createdAt": {"$lt": created_before}})).deleted_count
        return deleted

    async def import_novel(self, author_id: str, parsed: ParsedNovel) -> ImportedNovel:
        """Store a novel that was read from a file.

        Scenes go in first, in batches, and the novel last: a half-finished import cannot be seen.

        Raises:
            BadNovel: A title or text is past its limit (what `parse_novel` returns never is, save a title given by the caller).
        """
        novel_id = new_id()
        title = limits.checked_title(parsed.title, required=True)
        acts = structure(parsed.as_input(), existing=[])
        try:
            for batch in _batches(_scene_documents(novel_id, parsed, acts)):
                await self._scenes.insert_many(await asyncio.to_thread(_counted, batch), ordered=False)
            await self._insert(author_id, novel_id, title, acts)
        except Exception:
            # The insert of the novel may have been executed although it failed, so the novel goes first here too. What this misses, the sweep finds.
            await self._novels.delete_one({"_id": novel_id})
            await self._scenes.delete_many({"novelId": novel_id})
            raise
        return ImportedNovel(novel_id, title, parsed.chapter_count, parsed.scene_count)

    async def export(self, author_id: str, novel_id: str) -> str:
        """Return the whole novel as Markdown that `parse_novel` reads back to the same acts, chapters and scenes, or raise NovelNotFound."""
        novel = await self.get(author_id, novel_id)
        wanted = {"chapterId": 1, "sequence": 1, "title": 1, "content": 1}
        rows = await self._scenes.find({"novelId": novel_id}, wanted).to_list()
        rows.sort(key=ReadingOrder.of(chapter.chapter_id for chapter in novel.chapters()).key)
        scenes: dict[str, list[ExportedScene]] = {}
        for row in rows:
            scenes.setdefault(row["chapterId"], []).append(ExportedScene(row["title"], row["content"]))
        return await asyncio.to_thread(render, novel, scenes)

    async def _insert(self, author_id: str, novel_id: str, title: str, acts: _Documents) -> NovelView:
        at = now()
        document = {"_id": novel_id, "author": author_id, "title": title, "acts": acts, "createdAt": at, "updatedAt": at}
        await self._novels.insert_one(document)
        return NovelView.from_document(document)

    async def _require_empty(self, novel_id: str, chapters: Iterable[str]) -> None:
        pipeline: _Documents = [{"$match": {"novelId": novel_id, "chapterId": {"$in": list(chapters)}}}, {"$group": {"_id": "$chapterId"}}]
        full = sorted([row["_id"] async for row in await self._scenes.aggregate(pipeline)])
        if full:
            message = "A chapter that has scenes cannot be left out; list it again."
            raise BadNovel(message, code="chapter_not_empty", details={"chapterIds": full[:100]})


def _scene_documents(novel_id: str, parsed: ParsedNovel, acts: _Documents) -> Iterator[_Document]:
    at = now()
    for parsed_act, act in zip(parsed.acts, acts, strict=True):
        for parsed_chapter, chapter in zip(parsed_act.chapters, act["chapters"], strict=True):
            for sequence, scene in enumerate(parsed_chapter.scenes, start=1):
                yield {
                    "_id": new_id(),
                    "novelId": novel_id,
                    "chapterId": chapter["chapterId"],
                    "sequence": sequence,
                    "title": limits.checked_title(scene.title),
                    "content": limits.checked_content(scene.content),
                    "summary": "",
                    "wordCount": 0,
                    "version": 1,
                    "history": [],
                    "createdAt": at,
                    "updatedAt": at,
                }


def _batches(documents: Iterable[_Document]) -> Iterator[_Documents]:
    batch: _Documents = []
    size = 0
    for document in documents:
        # Four bytes a character is the most UTF-8 takes; the exact size is not worth encoding everything twice.
        length = 4 * len(document["content"])
        if batch and (size + length > _BATCH_BYTES or len(batch) >= _BATCH_SCENES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def _counted(batch: _Documents) -> _Documents:
    for document in batch:
        document["wordCount"] = word_count(document["content"])
    return batch
