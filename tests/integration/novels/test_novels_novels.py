"""Novels: structure, import, export, deletion."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.ids import new_id
from ainoval.novels.errors import BadNovel, NovelNotFound, SceneNotFound
from ainoval.novels.importing import ParsedAct, ParsedChapter, ParsedNovel, ParsedScene, parse_novel
from ainoval.novels.service import NovelService, SceneService
from ainoval.novels.views import ActInput, ActView, ChapterInput, NovelView, SceneView
from tests.integration.novels.conftest import ALICE, BOB
from tests.support.novel_texts import chinese_novel

Db = AsyncDatabase[dict[str, Any]]
Make = Callable[..., Awaitable[SceneView]]


def as_input(act: ActView) -> ActInput:
    return ActInput(act.title, [ChapterInput(chapter.title, chapter.chapter_id) for chapter in act.chapters], act.act_id)


async def test_a_novel_is_read_back_as_it_was_made(novels: NovelService, novel: NovelView, db: Db) -> None:
    assert await novels.get(ALICE, novel.novel_id) == novel
    assert [(act.title, [chapter.title for chapter in act.chapters]) for act in novel.acts] == [("Part One", ["Salt", "Road"]), ("Part Two", ["Home", "After"])]
    assert await novels.chapters(ALICE, novel.novel_id) == [chapter for act in novel.acts for chapter in act.chapters]
    document = await db["novels"].find_one({"_id": novel.novel_id}) or {}
    assert set(document) == {"_id", "author", "title", "acts", "createdAt", "updatedAt"}
    assert set(document["acts"][0]) == {"actId", "title", "chapters"}
    assert set(document["acts"][0]["chapters"][0]) == {"chapterId", "title"}


@pytest.mark.parametrize("novel_id", ["", "x", "0" * 24, "\ud800", "$ne"])
async def test_what_is_no_id_is_a_missing_novel(novels: NovelService, novel: NovelView, novel_id: str) -> None:
    for call in (novels.get, novels.chapters, novels.delete, novels.export, novels.update):
        with pytest.raises(NovelNotFound):
            await call(ALICE, novel_id)  # type: ignore[operator]


async def test_another_users_novel_is_a_missing_novel(novels: NovelService, novel: NovelView) -> None:
    for call in (novels.get, novels.chapters, novels.delete, novels.export, novels.update):
        with pytest.raises(NovelNotFound):
            await call(BOB, novel.novel_id)  # type: ignore[operator]
    assert await novels.list(BOB) == ([], 0)
    assert await novels.get(ALICE, novel.novel_id) == novel


async def test_the_newest_novel_is_listed_first(novels: NovelService) -> None:
    made = [await novels.create(ALICE, f"Novel {n}") for n in range(5)]
    await novels.create(BOB, "His")
    page, total = await novels.list(ALICE, offset=1, limit=3)
    assert ([novel.novel_id for novel in page], total) == ([novel.novel_id for novel in reversed(made)][1:4], 5)


async def test_a_new_title_leaves_the_chapters_alone(novels: NovelService, novel: NovelView) -> None:
    changed = await novels.update(ALICE, novel.novel_id, title="  Salt ")
    assert (changed.title, changed.acts) == ("Salt", novel.acts)
    assert changed.updated_at > novel.updated_at
    assert await novels.get(ALICE, novel.novel_id) == changed


async def test_chapters_can_be_added_renamed_and_moved_with_their_scenes(novels: NovelService, novel: NovelView, scenes: SceneService, scene: Make) -> None:
    made = await scene(0)
    first, second = (as_input(act) for act in novel.acts)
    salt, road = first.chapters
    acts = [
        ActInput("Prelude", [ChapterInput("New")]),
        ActInput("Second", [*second.chapters, ChapterInput("Salt again", salt.chapter_id)], second.act_id),
        ActInput(first.title, [road], first.act_id),
    ]
    changed = await novels.update(ALICE, novel.novel_id, acts=acts)
    assert [(act.title, [chapter.title for chapter in act.chapters]) for act in changed.acts] == [
        ("Prelude", ["New"]),
        ("Second", ["Home", "After", "Salt again"]),
        ("Part One", ["Road"]),
    ]
    assert changed.acts[1].act_id == novel.acts[1].act_id
    assert changed.acts[1].chapters[-1].chapter_id == made.chapter_id
    assert (await scenes.get(ALICE, made.scene_id)).chapter_id == made.chapter_id


async def test_a_chapter_with_scenes_cannot_be_left_out(novels: NovelService, novel: NovelView, scene: Make) -> None:
    made = await scene(1)
    first, second = (as_input(act) for act in novel.acts)
    with pytest.raises(BadNovel) as refused:
        await novels.update(ALICE, novel.novel_id, acts=[second])
    assert (refused.value.code, refused.value.details) == ("chapter_not_empty", {"chapterIds": [made.chapter_id]})
    assert (await novels.get(ALICE, novel.novel_id)).acts == novel.acts
    changed = await novels.update(ALICE, novel.novel_id, acts=[ActInput("", [first.chapters[1]]), second])
    assert len(list(changed.chapters())) == 3


async def test_ids_that_name_nothing_or_twice_are_refused(novels: NovelService, novel: NovelView) -> None:
    first, second = (as_input(act) for act in novel.acts)
    chapter = first.chapters[0]
    for acts, code in (
        ([ActInput("x", act_id=new_id())], "unknown_act"),
        ([ActInput("x", [ChapterInput("y", new_id())])], "unknown_chapter"),
        ([ActInput("x", [chapter, chapter])], "duplicate_id"),
        ([first, ActInput("x", [chapter])], "duplicate_id"),
        ([ActInput("x", act_id=first.act_id), ActInput("y", act_id=first.act_id)], "duplicate_id"),
    ):
        with pytest.raises(BadNovel) as refused:
            await novels.update(ALICE, novel.novel_id, acts=acts)
        assert refused.value.code == code
    with pytest.raises(BadNovel) as refused:
        await novels.create(ALICE, "Copy", [second])
    assert refused.value.code == "unknown_act"


@pytest.mark.parametrize(
    ("title", "acts", "code"),
    [
        ("", [], "title_missing"),
        (" \u3000\n", [], "title_missing"),
        ("x" * 201, [], "title_too_long"),
        ("\ud800", [], "invalid_text"),
        ("x", [ActInput("y" * 201)], "title_too_long"),
        ("x", [ActInput("", [ChapterInput("y\nz")])], "invalid_text"),
        ("x", [ActInput("", [ChapterInput("")] * 5_001)], "too_many_chapters"),
        ("x", [ActInput("")] * 501, "too_many_acts"),
    ],
)
async def test_what_cannot_be_a_novel_is_refused_with_a_code(novels: NovelService, title: str, acts: list[ActInput], code: str) -> None:
    with pytest.raises(BadNovel) as refused:
        await novels.create(ALICE, title, acts)
    assert refused.value.code == code
    assert await novels.list(ALICE) == ([], 0)


async def test_the_largest_novel_fits_a_document(novels: NovelService) -> None:
    made = await novels.create(ALICE, "题" * 200, [ActInput("\U00020000" * 200, [ChapterInput("\U00020000" * 200)] * 10) for _ in range(500)])
    assert len(await novels.chapters(ALICE, made.novel_id)) == 5_000


async def test_simultaneous_changes_of_a_novel_lose_nothing(novels: NovelService, novel: NovelView) -> None:
    titles = [novels.update(ALICE, novel.novel_id, title=f"Title {n}") for n in range(3)]
    changes = [*titles, novels.update(ALICE, novel.novel_id, acts=[as_input(novel.acts[0])])]
    assert not [outcome for outcome in await asyncio.gather(*changes, return_exceptions=True) if isinstance(outcome, Exception)]
    after = await novels.get(ALICE, novel.novel_id)
    assert after.title.startswith("Title ")
    assert after.acts == novel.acts[:1]


async def test_a_chapter_that_somebody_else_removes_meanwhile_does_not_come_back(novels: NovelService) -> None:
    for _ in range(10):
        novel = await novels.create(ALICE, "Contended", [ActInput("", [ChapterInput("Stays"), ChapterInput("Goes")])])
        act = as_input(novel.acts[0])
        removes = novels.update(ALICE, novel.novel_id, acts=[ActInput("", act.chapters[:1], act.act_id)])
        keeps = novels.update(ALICE, novel.novel_id, acts=[ActInput("renamed", act.chapters, act.act_id)])
        removed, kept = await asyncio.gather(removes, keeps, return_exceptions=True)
        assert isinstance(removed, NovelView)
        assert isinstance(kept, NovelView) or (isinstance(kept, BadNovel) and kept.code == "unknown_chapter")
        assert [chapter.title for chapter in await novels.chapters(ALICE, novel.novel_id)] == ["Stays"]


async def test_a_deleted_novel_takes_its_scenes_along(novels: NovelService, novel: NovelView, scene: Make, scenes: SceneService, db: Db) -> None:
    made = await scene()
    other = await novels.create(ALICE, "Another", [ActInput("", [ChapterInput("One")])])
    kept = await scenes.create(ALICE, other.novel_id, next(other.chapters()).chapter_id)
    await novels.delete(ALICE, novel.novel_id)
    with pytest.raises(SceneNotFound):
        await scenes.get(ALICE, made.scene_id)
    with pytest.raises(NovelNotFound):
        await novels.delete(ALICE, novel.novel_id)
    assert await db["scenes"].distinct("_id") == [kept.scene_id]


async def test_scenes_left_by_a_crash_are_invisible_and_swept(novels: NovelService, novel: NovelView, scene: Make, scenes: SceneService, db: Db) -> None:
    orphans = [await scene(0), await scene(1)]
    await db["novels"].delete_one({"_id": novel.novel_id})
    other = await novels.create(ALICE, "Another", [ActInput("", [ChapterInput("One")])])
    kept = await scenes.create(ALICE, other.novel_id, next(other.chapters()).chapter_id)
    with pytest.raises(SceneNotFound):
        await scenes.get(ALICE, orphans[0].scene_id)
    assert await novels.delete_orphans(created_before=datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await novels.delete_orphans(created_before=datetime.now(UTC) + timedelta(seconds=5)) == 2
    assert await novels.delete_orphans(created_before=datetime.now(UTC) + timedelta(seconds=5)) == 0
    assert await db["scenes"].distinct("_id") == [kept.scene_id]


async def test_an_imported_novel_has_the_files_structure(novels: NovelService, scenes: SceneService) -> None:
    text = chinese_novel(chapters=60)
    parsed = parse_novel(text.encode(), "a.txt")
    imported = await novels.import_novel(ALICE, parsed)
    assert (imported.title, imported.chapter_count, imported.scene_count) == ("白沙渡", 61, 181)
    novel = await novels.get(ALICE, imported.novel_id)
    assert [act.title for act in novel.acts] == [act.title for act in parsed.acts]
    chapters = list(novel.chapters())
    briefs = await scenes.in_range(ALICE, imported.novel_id, chapters[0].chapter_id, chapters[-1].chapter_id)
    assert len(briefs) == 181
    assert all(brief.has_content and not brief.has_summary for brief in briefs)
    first, _ = await scenes.list(ALICE, imported.novel_id, offset=1, limit=3)
    assert [scene.sequence for scene in first] == [1, 2, 3]
    expected = parsed.acts[1].chapters[0].scenes
    assert [(await scenes.get(ALICE, scene.scene_id)).content for scene in first] == [scene.content for scene in expected]
    assert all(scene.word_count > 100 and scene.version == 1 for scene in first)


async def test_an_export_imports_to_the_same_novel(novels: NovelService) -> None:
    parsed = parse_novel(chinese_novel(chapters=55).encode(), "a.txt")
    imported = await novels.import_novel(ALICE, parsed)
    exported = await novels.export(ALICE, imported.novel_id)
    assert parse_novel(exported.encode(), "x.md") == parsed
    again = await novels.import_novel(ALICE, parse_novel(exported.encode(), "x.md"))
    assert await novels.export(ALICE, again.novel_id) == exported


async def test_a_half_finished_import_cannot_be_seen(novels: NovelService, scenes: SceneService, db: Db) -> None:
    bad = ParsedNovel("Half", (ParsedAct("", (ParsedChapter("One", tuple(ParsedScene("x" * 300_000) for _ in range(20))),)),))
    broken = ParsedNovel("Half", (*bad.acts, ParsedAct("", (ParsedChapter("Two", (ParsedScene("y" * 600_000),)),))))
    with pytest.raises(BadNovel) as refused:
        await novels.import_novel(ALICE, broken)
    assert refused.value.code == "content_too_large"
    assert await novels.list(ALICE) == ([], 0)
    assert await db["scenes"].count_documents({}) == 0

    importing = asyncio.create_task(novels.import_novel(ALICE, bad))
    while not await db["scenes"].count_documents({}, limit=1):
        assert not importing.done()
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    assert await novels.list(ALICE) == ([], 0)
    (left,) = await db["scenes"].find().limit(1).to_list()
    with pytest.raises(SceneNotFound):
        await scenes.get(ALICE, left["_id"])
    assert await novels.delete_orphans(created_before=datetime.now(UTC) + timedelta(seconds=5)) > 0


@pytest.mark.parametrize("title", ["x" * 201, " "])
async def test_a_title_that_the_importer_gave_is_refused_rather_than_cut(novels: NovelService, title: str, db: Db) -> None:
    with pytest.raises(BadNovel):
        await novels.import_novel(ALICE, ParsedNovel(title, (ParsedAct("", (ParsedChapter("One", (ParsedScene("A."),)),)),)))
    assert await db["scenes"].count_documents({}) == 0
