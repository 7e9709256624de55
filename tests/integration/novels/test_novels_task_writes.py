"""What tasks write into scenes: once, whatever is repeated, and never over somebody's edit unless forced."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.ids import derived_id, new_id
from ainoval.novels.errors import BadNovel, ChapterNotFound, NovelNotFound, SceneChanged, SceneNotFound
from ainoval.novels.service import NovelService, SceneService
from ainoval.novels.views import ActInput, AppliedText, ChapterInput, NovelView, SceneView
from tests.integration.novels.conftest import ALICE

Db = AsyncDatabase[dict[str, Any]]
Make = Callable[..., Awaitable[SceneView]]


async def test_an_applied_summary_is_one_change_with_its_task_in_the_history(scenes: SceneService, scene: Make) -> None:
    made, task_id = await scene(content="Long.", summary="old"), new_id()
    applied = await scenes.apply_text(ALICE, made.scene_id, field="summary", text="new", expected_version=1, task_id=task_id)
    assert applied == AppliedText(made.scene_id, 2, already=False)
    changed = await scenes.get(ALICE, made.scene_id)
    assert (changed.summary, changed.content, changed.version, changed.word_count) == ("new", "Long.", 2, 1)
    (entry,) = await scenes.history(ALICE, made.scene_id)
    assert (entry.field, entry.text, entry.version, entry.task_id) == ("summary", "old", 1, task_id)


async def test_an_applied_content_counts_its_words(scenes: SceneService, scene: Make) -> None:
    made = await scene(content="one", summary="s")
    await scenes.apply_text(ALICE, made.scene_id, field="content", text="一二三", expected_version=1, task_id=new_id())
    assert (await scenes.get(ALICE, made.scene_id)).word_count == 3


@pytest.mark.parametrize("expected_version", [1, None])
async def test_a_repeat_finds_its_own_entry_and_changes_nothing(scenes: SceneService, scene: Make, db: Db, expected_version: int | None) -> None:
    made, task_id = await scene(summary="old"), new_id()

    async def apply(text: str) -> AppliedText:
        return await scenes.apply_text(ALICE, made.scene_id, field="summary", text=text, expected_version=expected_version, task_id=task_id)

    assert await apply("new") == AppliedText(made.scene_id, 2, already=False)
    after = await db["scenes"].find_one({"_id": made.scene_id})
    assert await apply("new") == AppliedText(made.scene_id, 2, already=True)
    assert await apply("other words") == AppliedText(made.scene_id, 2, already=True)
    assert await db["scenes"].find_one({"_id": made.scene_id}) == after


@pytest.mark.parametrize("expected_version", [1, 5, None])
async def test_a_repeat_after_later_edits_does_not_undo_them(scenes: SceneService, scene: Make, expected_version: int | None) -> None:
    made, task_id = await scene(summary="old"), new_id()
    await scenes.apply_text(ALICE, made.scene_id, field="summary", text="generated", expected_version=1, task_id=task_id)
    await scenes.update(ALICE, made.scene_id, version=2, summary="hers")
    await scenes.update(ALICE, made.scene_id, version=3, content="hers too")
    repeated = await scenes.apply_text(ALICE, made.scene_id, field="summary", text="generated", expected_version=expected_version, task_id=task_id)
    assert repeated == AppliedText(made.scene_id, 2, already=True)
    assert (await scenes.get(ALICE, made.scene_id)).summary == "hers"


async def test_an_edit_in_between_is_a_conflict_and_is_kept(scenes: SceneService, scene: Make, db: Db) -> None:
    made = await scene(content="a", summary="old")
    await scenes.update(ALICE, made.scene_id, version=1, content="b")
    before = await db["scenes"].find_one({"_id": made.scene_id})
    with pytest.raises(SceneChanged) as refused:
        await scenes.apply_text(ALICE, made.scene_id, field="summary", text="of a", expected_version=1, task_id=new_id())
    assert refused.value.details == {"expectedVersion": 1, "currentVersion": 2}
    assert await db["scenes"].find_one({"_id": made.scene_id}) == before


async def test_force_overrides_an_edit_and_keeps_it_in_the_history(scenes: SceneService, scene: Make) -> None:
    made, task_id = await scene(content="a"), new_id()
    await scenes.update(ALICE, made.scene_id, version=1, content="her edit")
    applied = await scenes.apply_text(ALICE, made.scene_id, field="content", text="forced", expected_version=None, task_id=task_id)
    assert applied == AppliedText(made.scene_id, 3, already=False)
    last = (await scenes.history(ALICE, made.scene_id))[-1]
    assert (last.text, last.version, last.task_id) == ("her edit", 2, task_id)


async def test_the_same_text_is_still_recorded_so_that_a_repeat_finds_it(scenes: SceneService, scene: Make) -> None:
    made, task_id = await scene(summary="same"), new_id()
    assert (await scenes.apply_text(ALICE, made.scene_id, field="summary", text="same", expected_version=1, task_id=task_id)).version == 2
    assert (await scenes.apply_text(ALICE, made.scene_id, field="summary", text="same", expected_version=1, task_id=task_id)).already


@pytest.mark.parametrize("expected_version", [1, None])
async def test_twenty_simultaneous_calls_of_one_task_write_once(scenes: SceneService, scene: Make, expected_version: int | None) -> None:
    made, task_id = await scene(), new_id()
    calls = [scenes.apply_text(ALICE, made.scene_id, field="content", text="generated", expected_version=expected_version, task_id=task_id) for _ in range(20)]
    outcomes = await asyncio.gather(*calls)
    assert sorted(outcome.already for outcome in outcomes) == [False] + [True] * 19
    assert {outcome.version for outcome in outcomes} == {2}
    assert len(await scenes.history(ALICE, made.scene_id)) == 1


async def test_of_two_tasks_on_one_version_one_is_applied(scenes: SceneService, scene: Make) -> None:
    made = await scene()
    calls = [scenes.apply_text(ALICE, made.scene_id, field="summary", text=f"{n}", expected_version=1, task_id=new_id()) for n in range(2)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {AppliedText, SceneChanged}


@pytest.mark.parametrize(("field", "size"), [("summary", 65_537), ("content", 524_289)])
async def test_a_text_over_its_limit_is_refused(scenes: SceneService, scene: Make, field: Literal["summary", "content"], size: int) -> None:
    made = await scene()
    with pytest.raises(BadNovel) as refused:
        await scenes.apply_text(ALICE, made.scene_id, field=field, text="x" * size, expected_version=1, task_id=new_id())
    assert refused.value.code == f"{field}_too_large"


async def test_a_scene_of_a_deleted_novel_is_gone_for_tasks(scenes: SceneService, scene: Make, novel: NovelView, db: Db) -> None:
    made = await scene(content="kept by a crash")
    await db["novels"].delete_one({"_id": novel.novel_id})
    with pytest.raises(SceneNotFound):
        await scenes.apply_text(ALICE, made.scene_id, field="summary", text="x", expected_version=1, task_id=new_id())
    with pytest.raises(NovelNotFound):
        await scenes.create_from_task(ALICE, novel.novel_id, made.chapter_id, task_id=new_id(), content="x")
    assert (await db["scenes"].find_one({"_id": made.scene_id}) or {})["version"] == 1


async def test_a_scene_made_by_a_task_has_an_id_of_the_tasks(scenes: SceneService, scene: Make, novel: NovelView) -> None:
    before, task_id = await scene(), new_id()
    made = await scenes.create_from_task(
        ALICE, novel.novel_id, before.chapter_id, task_id=task_id, title="The bell", content="It rang.", summary="A bell rings."
    )
    assert made == AppliedText(derived_id("scene", task_id), 1, already=False)
    stored = await scenes.get(ALICE, made.scene_id)
    assert (stored.title, stored.content, stored.summary, stored.sequence, stored.version) == ("The bell", "It rang.", "A bell rings.", 2, 1)


async def test_making_a_scene_again_finds_it_however_it_was_edited(scenes: SceneService, novel: NovelView) -> None:
    chapter_id, task_id = next(novel.chapters()).chapter_id, new_id()

    async def make() -> AppliedText:
        return await scenes.create_from_task(ALICE, novel.novel_id, chapter_id, task_id=task_id, content="generated")

    first = await make()
    await scenes.update(ALICE, first.scene_id, version=1, content="edited")
    assert await make() == AppliedText(first.scene_id, 1, already=True)
    assert (await scenes.get(ALICE, first.scene_id)).content == "edited"


async def test_twenty_simultaneous_makings_make_one_scene(scenes: SceneService, novel: NovelView, db: Db) -> None:
    chapter_id, task_id = next(novel.chapters()).chapter_id, new_id()
    calls = [scenes.create_from_task(ALICE, novel.novel_id, chapter_id, task_id=task_id, content="generated") for _ in range(20)]
    assert sorted(made.already for made in await asyncio.gather(*calls)) == [False] + [True] * 19
    assert await db["scenes"].count_documents({}) == 1


async def test_a_scene_is_not_made_in_a_chapter_that_is_gone_but_still_found(scenes: SceneService, novels: NovelService, novel: NovelView, db: Db) -> None:
    chapter_id, task_id = next(novel.chapters()).chapter_id, new_id()
    made = await scenes.create_from_task(ALICE, novel.novel_id, chapter_id, task_id=task_id, content="x")
    await db["novels"].update_one({"_id": novel.novel_id}, {"$set": {"acts": []}})
    assert await scenes.create_from_task(ALICE, novel.novel_id, chapter_id, task_id=task_id, content="x") == AppliedText(made.scene_id, 1, already=True)
    with pytest.raises(ChapterNotFound):
        await scenes.create_from_task(ALICE, novel.novel_id, chapter_id, task_id=new_id(), content="x")
    other = await novels.create(ALICE, "Another", [ActInput("", [ChapterInput("One")])])
    with pytest.raises(SceneNotFound):
        await scenes.create_from_task(ALICE, other.novel_id, next(other.chapters()).chapter_id, task_id=task_id, content="x")
