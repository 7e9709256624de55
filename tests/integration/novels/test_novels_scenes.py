"""Scenes: reading and writing them by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.ids import new_id
from ainoval.novels.errors import BadNovel, BadRange, ChapterNotFound, NovelNotFound, SceneChanged, SceneNotFound
from ainoval.novels.service import NovelService, SceneService
from ainoval.novels.views import NovelView, SceneView
from tests.integration.novels.conftest import ALICE, BOB

Db = AsyncDatabase[dict[str, Any]]
Make = Callable[..., Awaitable[SceneView]]

NO_IDS = ["", "x", "0" * 24, "0" * 23, "0" * 25, "Z" * 24, "\ud800", "$where", "0" * 23 + "\n", "a\x00b"]


async def stored(db: Db, scene_id: str) -> dict[str, Any]:
    document = await db["scenes"].find_one({"_id": scene_id})
    assert document is not None
    return document


async def test_a_new_scene_is_read_back_as_it_was_made(scenes: SceneService, scene: Make, db: Db) -> None:
    made = await scene(title="The ferry", content="He came. 他来了。", summary="An arrival.")
    assert await scenes.get(ALICE, made.scene_id) == made
    assert (made.version, made.sequence, made.word_count) == (1, 1, 5)
    document = await stored(db, made.scene_id)
    assert set(document) == {
        *("_id", "novelId", "chapterId", "sequence", "title", "content", "summary"),
        *("wordCount", "version", "history", "createdAt", "updatedAt"),
    }


async def test_new_scenes_go_to_the_end_of_their_chapter(scene: Make) -> None:
    assert [(await scene(0)).sequence for _ in range(3)] == [1, 2, 3]
    assert (await scene(1)).sequence == 1
    assert (await scene(0, sequence=40)).sequence == 40
    assert (await scene(0)).sequence == 41


async def test_the_largest_sequence_can_still_be_followed(scene: Make) -> None:
    assert (await scene(0, sequence=2**31 - 1)).sequence == 2**31 - 1
    assert (await scene(0)).sequence == 2**31 - 1


@pytest.mark.parametrize("scene_id", NO_IDS)
async def test_what_is_no_id_is_a_missing_scene(scenes: SceneService, novel: NovelView, scene_id: str) -> None:
    with pytest.raises(SceneNotFound):
        await scenes.get(ALICE, scene_id)
    with pytest.raises(SceneNotFound):
        await scenes.update(ALICE, scene_id, version=1, title="x")
    with pytest.raises(SceneNotFound):
        await scenes.apply_text(ALICE, scene_id, field="summary", text="x", expected_version=None, task_id=new_id())
    with pytest.raises(SceneNotFound):
        await scenes.by_ids(ALICE, novel.novel_id, [scene_id])
    with pytest.raises(NovelNotFound):
        await scenes.list(ALICE, scene_id)
    with pytest.raises(ChapterNotFound):
        await scenes.create(ALICE, novel.novel_id, scene_id)
    with pytest.raises(ChapterNotFound):
        await scenes.in_range(ALICE, novel.novel_id, scene_id, scene_id)
    assert await scenes.list(ALICE, novel.novel_id, chapter_id=scene_id) == ([], 0)


async def test_another_users_scene_is_a_missing_scene(scenes: SceneService, scene: Make, novel: NovelView, db: Db) -> None:
    made = await scene(content="Hers.")
    chapter_id = made.chapter_id
    for forbidden in (
        lambda: scenes.get(BOB, made.scene_id),
        lambda: scenes.history(BOB, made.scene_id),
        lambda: scenes.update(BOB, made.scene_id, version=1, title="His"),
        lambda: scenes.apply_text(BOB, made.scene_id, field="content", text="His.", expected_version=None, task_id=new_id()),
    ):
        with pytest.raises(SceneNotFound):
            await forbidden()
    for forbidden in (
        lambda: scenes.list(BOB, novel.novel_id),
        lambda: scenes.ids(BOB, novel.novel_id),
        lambda: scenes.create(BOB, novel.novel_id, chapter_id),
        lambda: scenes.in_range(BOB, novel.novel_id, chapter_id, chapter_id),
        lambda: scenes.by_ids(BOB, novel.novel_id, [made.scene_id]),
        lambda: scenes.create_from_task(BOB, novel.novel_id, chapter_id, task_id=new_id(), content="His."),
    ):
        with pytest.raises(NovelNotFound):
            await forbidden()
    assert (await stored(db, made.scene_id))["content"] == "Hers."
    assert await db["scenes"].count_documents({}) == 1


async def test_a_change_of_any_text_adds_one_to_the_version(scenes: SceneService, scene: Make) -> None:
    made = await scene(title="a", content="b", summary="c")
    for expected, change in enumerate([{"title": "t"}, {"content": "u"}, {"summary": "v"}, {"title": "x", "content": "y", "summary": "z"}], start=2):
        changed = await scenes.update(ALICE, made.scene_id, version=expected - 1, **change)
        assert changed.version == expected
        assert await scenes.get(ALICE, made.scene_id) == changed
    assert (changed.title, changed.content, changed.summary) == ("x", "y", "z")
    assert changed.updated_at >= made.updated_at
    assert changed.created_at == made.created_at


async def test_a_change_of_the_content_counts_its_words_anew(scenes: SceneService, scene: Make) -> None:
    made = await scene(content="one two three")
    assert (await scenes.update(ALICE, made.scene_id, version=1, content="四五 six")).word_count == 3
    assert (await scenes.update(ALICE, made.scene_id, version=2, title="t")).word_count == 3


async def test_old_contents_and_summaries_are_in_the_history(scenes: SceneService, scene: Make) -> None:
    made = await scene(title="a", content="b", summary="c")
    await scenes.update(ALICE, made.scene_id, version=1, title="a2")
    await scenes.update(ALICE, made.scene_id, version=2, content="b2")
    last = await scenes.update(ALICE, made.scene_id, version=3, content="b3", summary="c3")
    history = await scenes.history(ALICE, made.scene_id)
    assert [(e.field, e.text, e.version, e.task_id) for e in history] == [
        ("content", "b", 2, None),
        ("content", "b2", 3, None),
        ("summary", "c", 3, None),
    ]
    assert history[-1].at == last.updated_at


async def test_the_same_text_again_is_no_change(scenes: SceneService, scene: Make) -> None:
    made = await scene(title="a", content="b", summary="c")
    assert await scenes.update(ALICE, made.scene_id, version=1, title="a ", content="b", summary="c") == made
    assert await scenes.update(ALICE, made.scene_id, version=1) == made
    assert await scenes.history(ALICE, made.scene_id) == []
    partly = await scenes.update(ALICE, made.scene_id, version=1, content="b", summary="new")
    assert partly.version == 2
    assert [entry.field for entry in await scenes.history(ALICE, made.scene_id)] == ["summary"]


async def test_a_stale_change_is_refused_with_the_current_version(scenes: SceneService, scene: Make, db: Db) -> None:
    made = await scene(content="b")
    await scenes.update(ALICE, made.scene_id, version=1, content="c")
    before = await stored(db, made.scene_id)
    for stale in (1, 3, 0, -1, 10**30):
        with pytest.raises(SceneChanged) as refused:
            await scenes.update(ALICE, made.scene_id, version=stale, content="d")
        assert refused.value.details == {"expectedVersion": stale, "currentVersion": 2}
    assert await stored(db, made.scene_id) == before


async def test_of_simultaneous_changes_of_one_version_one_is_made(scenes: SceneService, scene: Make) -> None:
    made = await scene(content="start")
    changes = [scenes.update(ALICE, made.scene_id, version=1, content=f"writer {n}") for n in range(20)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sum(isinstance(outcome, SceneView) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, SceneChanged) for outcome in outcomes) == 19
    assert (await scenes.get(ALICE, made.scene_id)).version == 2
    assert len(await scenes.history(ALICE, made.scene_id)) == 1


@pytest.mark.parametrize("text", ["$content", "$$NOW", "$", "$version", "{$literal: 1}", "$$ROOT costs $5", "a.b$c", "  $x  "])
async def test_texts_that_look_like_database_expressions_survive(scenes: SceneService, scene: Make, text: str) -> None:
    made = await scene(title=text, content=text, summary=text)
    changed = await scenes.update(ALICE, made.scene_id, version=1, title=f"{text}2".strip(), content=f"{text}2", summary=f"{text}2")
    assert (changed.title, changed.content, changed.summary) == (f"{text}2".strip(), f"{text}2", f"{text}2")
    applied = await scenes.apply_text(ALICE, made.scene_id, field="content", text=text, expected_version=2, task_id="$content")
    assert applied.version == 3
    assert (await scenes.get(ALICE, made.scene_id)).content == text
    assert [(e.text, e.task_id) for e in await scenes.history(ALICE, made.scene_id)] == [(text, None), (text, None), (f"{text}2", "$content")]


async def test_the_history_keeps_the_last_twenty_texts(scenes: SceneService, scene: Make) -> None:
    made = await scene(content="0")
    for version in range(1, 31):
        await scenes.update(ALICE, made.scene_id, version=version, content=str(version))
    assert [entry.text for entry in await scenes.history(ALICE, made.scene_id)] == [str(n) for n in range(10, 30)]


async def test_the_history_keeps_at_most_four_megabytes(scenes: SceneService, scene: Make, db: Db) -> None:
    text = "河" * (512 * 1024 // 3)
    made = await scene(content=f"0{text}"[: len(text)])
    for version in range(1, 13):
        await scenes.update(ALICE, made.scene_id, version=version, content=f"{version % 10}{text}"[: len(text)])
    history = await scenes.history(ALICE, made.scene_id)
    assert [entry.version for entry in history] == list(range(5, 13))
    assert sum(len(entry.text.encode()) for entry in history) <= 4 * 1024 * 1024
    # A short text is kept beside them only if it is newer than what made the history full.
    await scenes.update(ALICE, made.scene_id, version=13, summary="short")
    assert [entry.version for entry in await scenes.history(ALICE, made.scene_id)] == [*range(5, 13), 13]


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("content", "河" * 174_763, "content_too_large"),
        ("summary", "x" * 65_537, "summary_too_large"),
        ("title", "x" * 201, "title_too_long"),
        ("title", "two\nlines", "invalid_text"),
        ("title", "bell\x07", "invalid_text"),
        ("content", "lone \ud800", "invalid_text"),
        ("summary", "nul \x00", "invalid_text"),
        ("title", "\udfff", "invalid_text"),
    ],
)
async def test_texts_that_cannot_be_stored_are_refused_with_a_code(scenes: SceneService, scene: Make, field: str, text: str, code: str) -> None:
    made = await scene()
    with pytest.raises(BadNovel) as refused:
        await scenes.update(ALICE, made.scene_id, version=1, **{field: text})
    assert refused.value.code == code
    with pytest.raises(BadNovel) as refused:
        await scene(**{field: text})
    assert refused.value.code == code
    assert await scenes.get(ALICE, made.scene_id) == made


async def test_texts_of_the_largest_size_are_stored(scenes: SceneService, scene: Make) -> None:
    made = await scene(title="题" * 200, content="x" * 524_288, summary="y" * 65_536)
    assert await scenes.get(ALICE, made.scene_id) == made


@pytest.mark.parametrize("sequence", [-1, 2**31])
async def test_a_sequence_out_of_range_is_refused(scene: Make, sequence: int) -> None:
    with pytest.raises(BadNovel) as refused:
        await scene(sequence=sequence)
    assert refused.value.code == "invalid_sequence"


async def test_creating_with_the_same_id_again_returns_the_first_scene(scenes: SceneService, scene: Make, novels: NovelService) -> None:
    scene_id = new_id()
    first = await scene(0, content="first", scene_id=scene_id)
    assert await scene(1, content="second", scene_id=scene_id) == first
    other = await novels.create(ALICE, "Another", [])
    with pytest.raises(ChapterNotFound):
        await scenes.create(ALICE, other.novel_id, first.chapter_id, scene_id=scene_id)


async def test_pages_are_in_reading_order(scenes: SceneService, scene: Make, novel: NovelView) -> None:
    # Made in another order than they are read.
    made = {(chapter, sequence): await scene(chapter, sequence=sequence) for sequence in (3, 1, 2) for chapter in (3, 0, 2)}
    expected = [made[key].scene_id for key in sorted(made)]
    for size in (1, 2, 4, 9, 20):
        pages = [await scenes.list(ALICE, novel.novel_id, offset=offset, limit=size) for offset in range(0, 12, size)]
        assert [scene.scene_id for page, _ in pages for scene in page] == expected
        assert {total for _, total in pages} == {9}
    of_chapter, total = await scenes.list(ALICE, novel.novel_id, chapter_id=made[2, 1].chapter_id, offset=1, limit=5)
    assert ([scene.sequence for scene in of_chapter], total) == ([2, 3], 3)


async def test_scenes_with_the_same_sequence_are_in_the_order_of_their_ids(scenes: SceneService, scene: Make, novel: NovelView) -> None:
    ids = sorted([(await scene(0, sequence=7)).scene_id for _ in range(5)])
    page, _ = await scenes.list(ALICE, novel.novel_id)
    assert [scene.scene_id for scene in page] == ids
    in_chapter, _ = await scenes.list(ALICE, novel.novel_id, chapter_id=page[0].chapter_id)
    assert in_chapter == page
    chapter_id = page[0].chapter_id
    assert [brief.scene_id for brief in await scenes.in_range(ALICE, novel.novel_id, chapter_id, chapter_id)] == ids


async def test_scenes_of_a_chapter_that_is_gone_are_listed_last(scenes: SceneService, scene: Make, novel: NovelView, db: Db) -> None:
    lost, kept = await scene(0), await scene(1)
    await db["scenes"].update_one({"_id": lost.scene_id}, {"$set": {"chapterId": new_id()}})
    page, total = await scenes.list(ALICE, novel.novel_id)
    assert ([scene.scene_id for scene in page], total) == ([kept.scene_id, lost.scene_id], 2)


async def test_pages_have_summaries_and_no_contents(scenes: SceneService, scene: Make, novel: NovelView) -> None:
    await scene(content="long", summary="short")
    (row,), _ = await scenes.list(ALICE, novel.novel_id)
    assert row.summary == "short"
    assert not hasattr(row, "content")


@pytest.mark.parametrize("arguments", [{"limit": 0}, {"limit": -1}, {"offset": -1}])
async def test_a_page_of_nothing_is_a_mistake_of_the_caller(scenes: SceneService, novel: NovelView, arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="begins at"):
        await scenes.list(ALICE, novel.novel_id, **arguments)


async def test_a_range_is_inclusive_and_crosses_acts(scenes: SceneService, scene: Make, novel: NovelView) -> None:
    made = [[await scene(chapter, content=f"{chapter}") for _ in range(2)] for chapter in range(4)]
    chapters = [chapter.chapter_id for chapter in novel.chapters()]

    async def ids(first: int, last: int) -> list[str]:
        return [brief.scene_id for brief in await scenes.in_range(ALICE, novel.novel_id, chapters[first], chapters[last])]

    assert await ids(1, 2) == [scene.scene_id for chapter in made[1:3] for scene in chapter]
    assert await ids(3, 3) == [scene.scene_id for scene in made[3]]
    assert len(await ids(0, 3)) == 8
    with pytest.raises(BadRange) as refused:
        await ids(2, 1)
    assert refused.value.code == "end_before_start"


async def test_a_range_with_a_chapter_of_another_novel_is_refused(scenes: SceneService, novel: NovelView, novels: NovelService) -> None:
    own = next(novel.chapters()).chapter_id
    other = await novels.create(ALICE, "Another", list(_acts(novel)))
    foreign = next(other.chapters()).chapter_id
    for first, last in ((own, foreign), (foreign, own), (own, new_id())):
        with pytest.raises(ChapterNotFound):
            await scenes.in_range(ALICE, novel.novel_id, first, last)


def _acts(novel: NovelView) -> Any:
    from ainoval.novels.views import ActInput, ChapterInput

    return (ActInput(act.title, [ChapterInput(chapter.title) for chapter in act.chapters]) for act in novel.acts)


async def test_a_brief_tells_which_texts_there_are(scenes: SceneService, scene: Make, novel: NovelView) -> None:
    texts = [("", ""), ("text", ""), ("", "text"), (" \n\t\r\u3000\u00a0", "\u3000"), ("……", "\u200b"), ("* 雨", "一")]
    made = [await scene(content=content, summary=summary) for content, summary in texts]
    chapter_id = made[0].chapter_id
    in_range = await scenes.in_range(ALICE, novel.novel_id, chapter_id, chapter_id)
    assert [(brief.has_content, brief.has_summary) for brief in in_range] == [
        (False, False),
        (True, False),
        (False, True),
        (False, False),
        (False, False),
        (True, True),
    ]
    assert await scenes.by_ids(ALICE, novel.novel_id, [scene.scene_id for scene in made]) == in_range
    assert {brief.version for brief in in_range} == {1}


async def test_scenes_by_id_keep_the_order_of_the_ids_and_come_once(scenes: SceneService, scene: Make, novel: NovelView) -> None:
    a, b, c = [(await scene()).scene_id for _ in range(3)]
    assert [brief.scene_id for brief in await scenes.by_ids(ALICE, novel.novel_id, [c, a, c, b, a])] == [c, a, b]
    assert await scenes.by_ids(ALICE, novel.novel_id, []) == []
    assert sorted(await scenes.ids(ALICE, novel.novel_id)) == sorted([a, b, c])


async def test_one_scene_of_another_novel_among_the_ids_is_a_missing_scene(scenes: SceneService, scene: Make, novel: NovelView, novels: NovelService) -> None:
    own = (await scene()).scene_id
    other = await novels.create(ALICE, "Another", list(_acts(novel)))
    foreign = (await scenes.create(ALICE, other.novel_id, next(other.chapters()).chapter_id)).scene_id
    for missing in (foreign, new_id()):
        with pytest.raises(SceneNotFound):
            await scenes.by_ids(ALICE, novel.novel_id, [own, missing])


async def test_more_than_ten_thousand_scenes_are_too_many_for_a_range(scenes: SceneService, scene: Make, novel: NovelView, db: Db) -> None:
    one = await stored(db, (await scene()).scene_id)
    await db["scenes"].insert_many([{**one, "_id": new_id()} for _ in range(9_999)])
    assert len(await scenes.in_range(ALICE, novel.novel_id, one["chapterId"], one["chapterId"])) == 10_000
    await db["scenes"].insert_one({**one, "_id": new_id()})
    with pytest.raises(BadNovel) as refused:
        await scenes.in_range(ALICE, novel.novel_id, one["chapterId"], one["chapterId"])
    assert (refused.value.code, refused.value.errors[0]["field"]) == ("too_many_scenes", "endChapterId")
