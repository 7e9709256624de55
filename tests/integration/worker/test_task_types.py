"""The four task types, run by a worker with the offline provider on real scenes."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.importing.outline import ParsedAct, ParsedChapter, ParsedNovel, ParsedScene
from ainoval.novels.service import NovelService, SceneService
from tasks_app import operations, queries
from tasks_app.conf import task_settings
from tasks_app.worker.worker import Identity, Worker
from tests.conftest import until

Json = dict[str, Any]
Db = AsyncDatabase[Json]

TEXT = (
    "Mara climbed the stairs of the lighthouse with the lantern in her left hand. The keeper had not come down since Sunday. "
    "At the top she found the lamp cold and the log open at a blank page. She wrote the date, and lit the wick, and waited for the ships."
)


@pytest.fixture(autouse=True)
async def worker(db: Db) -> AsyncIterator[None]:
    """A worker is running."""
    settings = dataclasses.replace(task_settings(), shutdown_grace=0.2, max_running_per_user=0)
    made = Worker(Identity.new("test"), settings, beat=lambda: None, orphaned=lambda: False)
    task = asyncio.create_task(made.run())
    yield
    made.drain()
    await asyncio.wait_for(task, 60)


async def a_novel(db: Db, *contents: str) -> tuple[str, str, list[str]]:
    """Store a novel of one chapter; return its id, the chapter's and the scenes'."""
    scenes = tuple(ParsedScene(content=content) for content in contents)
    parsed = ParsedNovel(title="The Lamp", acts=(ParsedAct(title="", chapters=(ParsedChapter(title="One", scenes=scenes),)),))
    novels = NovelService(db)
    novel = (await novels.import_novel("alice", parsed)).novel_id
    chapter = (await novels.chapters("alice", novel))[0].chapter_id
    return novel, chapter, await SceneService(db).ids("alice", novel)


async def run(task_type: str, **parameters: Any) -> Json:
    task_id = (await operations.submit("alice", task_type, parameters)).task_id

    async def has_ended() -> bool:
        return (await queries.get(task_id, user_id="alice"))["completedAt"] is not None

    await until(has_ended)
    return await queries.get(task_id, user_id="alice")


async def test_a_summary_is_made_of_the_scene_and_applied_on_request(db: Db) -> None:
    _, _, [scene] = await a_novel(db, TEXT)
    task = await run("GENERATE_SUMMARY", sceneId=scene)
    result = task["result"]
    assert (task["status"], result["applied"], result["skipped"], result["provider"]) == ("COMPLETED", False, False, "offline")
    assert result["summary"]
    assert (await SceneService(db).get("alice", scene)).summary == ""
    applied = await operations.apply(task["_id"], user_id="alice")
    assert ((await SceneService(db).get("alice", scene)).summary, applied.version) == (result["summary"], 2)


async def test_a_summary_that_is_there_is_left_alone_unless_it_may_be_overwritten(db: Db) -> None:
    _, _, [scene] = await a_novel(db, TEXT)
    await SceneService(db).update("alice", scene, version=1, summary="my own")
    skipped = await run("GENERATE_SUMMARY", sceneId=scene, overwriteExisting=False, autoApply=True)
    assert (skipped["status"], skipped["result"]["skipped"]) == ("COMPLETED", True)
    assert (await SceneService(db).get("alice", scene)).summary == "my own"
    written = await run("GENERATE_SUMMARY", sceneId=scene, autoApply=True)
    assert written["appliedAt"] is not None
    assert (await SceneService(db).get("alice", scene)).summary == written["result"]["summary"]


async def test_a_scene_is_written_from_its_own_summary(db: Db) -> None:
    novel, _, [scene] = await a_novel(db, "")
    await SceneService(db).update("alice", scene, version=1, summary="Mara climbs the lighthouse and finds the lamp cold.")
    task = await run("GENERATE_SCENE", novelId=novel, sceneId=scene, autoApply=True)
    assert task["status"] == "COMPLETED"
    content = (await SceneService(db).get("alice", scene)).content
    assert content == task["result"]["content"]
    assert "Mara" in content


async def test_a_new_scene_is_stored_once_in_its_chapter(db: Db) -> None:
    novel, chapter, _ = await a_novel(db, TEXT)
    task = await run("GENERATE_SCENE", novelId=novel, chapterId=chapter, summary="Mara rows home.", autoApply=True)
    assert task["status"] == "COMPLETED"
    made = await SceneService(db).get("alice", task["result"]["sceneId"])
    assert (made.chapter_id, made.content) == (chapter, task["result"]["content"])


async def test_a_batch_summarises_every_scene_once_and_skips_what_is_there_or_empty(db: Db) -> None:
    novel, chapter, scenes = await a_novel(db, TEXT, TEXT + " Then it rained.", "", TEXT + " Nobody came.")
    await SceneService(db).update("alice", scenes[1], version=1, summary="my own")
    task = await run("BATCH_GENERATE_SUMMARY", novelId=novel, startChapterId=chapter, endChapterId=chapter)
    result = task["result"]
    assert task["status"] == "COMPLETED"
    assert (result["totalScenes"], result["successCount"], result["skippedCount"], result["failedCount"]) == (4, 2, 2, 0)
    views = [await SceneService(db).get("alice", scene) for scene in scenes]
    assert [bool(view.summary) for view in views] == [True, True, False, True]
    assert views[1].summary == "my own"


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_batch_skips_scenes_in_whose_text_there_is_no_word(db: Db, overwrite: bool) -> None:
    novel, _, scenes = await a_novel(db, TEXT, "\u200b", "* * *", "……")  # the empty paragraph of an editor, and what holds a scene's place
    task = await run("BATCH_GENERATE_SUMMARY", novelId=novel, sceneIds=scenes, overwriteExisting=overwrite)
    counts = {name: task["result"][name] for name in ("successCount", "skippedCount", "failedCount")}
    assert (task["status"], counts) == ("COMPLETED", {"successCount": 1, "skippedCount": 3, "failedCount": 0})


async def test_a_batch_skips_scenes_in_whose_summary_there_is_no_word(db: Db) -> None:
    novel, _, [scene] = await a_novel(db, "")
    await SceneService(db).update("alice", scene, version=1, summary="……")
    task = await run("BATCH_GENERATE_SCENE", novelId=novel, sceneIds=[scene])
    assert (task["status"], task["result"]["skippedCount"]) == ("COMPLETED", 1)


async def test_a_batch_writes_the_scenes_that_have_a_summary_and_no_text(db: Db) -> None:
    novel, _, scenes = await a_novel(db, "", "", TEXT)
    await SceneService(db).update("alice", scenes[0], version=1, summary="Mara meets the keeper's brother.")
    task = await run("BATCH_GENERATE_SCENE", novelId=novel, sceneIds=scenes)
    assert task["status"] == "COMPLETED"
    assert (task["result"]["totalScenes"], task["result"]["successCount"], task["result"]["skippedCount"]) == (3, 1, 2)
    views = [await SceneService(db).get("alice", scene) for scene in scenes]
    assert [bool(view.content) for view in views] == [True, False, True]


async def test_a_batch_without_a_scene_is_complete(db: Db) -> None:
    novel, chapter, _ = await a_novel(db)
    task = await run("BATCH_GENERATE_SUMMARY", novelId=novel, startChapterId=chapter, endChapterId=chapter)
    assert (task["status"], task["result"]["totalScenes"]) == ("COMPLETED", 0)
