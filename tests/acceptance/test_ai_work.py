"""The main job under load and under a kill, with the real client library against a scripted AI server that counts its calls."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.importing.outline import ParsedAct, ParsedChapter, ParsedNovel, ParsedScene
from ainoval.novels.service import NovelService, SceneService
from tasks_app import operations
from tasks_app.documents import TASKS
from tests.conftest import until
from tests.support.ai_server import AIServerProcess
from tests.support.cluster import Cluster, count
from tests.support.submissions import submit_all

Start = Callable[..., Cluster]
Database = AsyncDatabase[dict[str, Any]]

pytestmark = pytest.mark.timeout(300)

WRITER = "5d3c5f4e-0000-4000-8000-000000000001"
HOLD = {"contains": "", "steps": [{"do": "hold"}]}
ANSWER = {"contains": "", "steps": [{"do": "answer"}]}


@pytest.fixture
def ai() -> Iterator[AIServerProcess]:
    with AIServerProcess() as server:
        yield server


def openai(server: AIServerProcess) -> dict[str, str]:
    return {"AI_PROVIDER": "openai", "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.url, "OPENAI_MODEL": "scripted"}


async def a_novel(db: Database, scenes: int) -> tuple[str, list[str], str, str]:
    """Store a novel of ten chapters; return its id, its scenes' ids, and its first and last chapter."""
    chapters = [
        ParsedChapter(
            title=f"Chapter {number + 1}",
            scenes=tuple(ParsedScene(title="", content=f"scene-{index} begins. Mara walks to the harbour.") for index in range(number, scenes, 10)),
        )
        for number in range(10)
    ]
    service = NovelService(db)
    imported = await service.import_novel(WRITER, ParsedNovel(title="The Harbour", acts=(ParsedAct(title="", chapters=tuple(chapters)),)))
    order = await service.chapters(WRITER, imported.novel_id)
    ids = [doc["_id"] async for doc in db["scenes"].find({"novelId": imported.novel_id}, {"_id": 1})]
    assert len(ids) == scenes
    return imported.novel_id, ids, order[0].chapter_id, order[-1].chapter_id


async def in_flight(ai: AIServerProcess, number: int) -> None:
    """Wait until the AI server holds so many calls."""
    await until(lambda: ai.stats()["current"] == number, what=f"{number} calls in flight")


async def completed(number: int, seconds: float = 120.0) -> None:
    """Wait until so many tasks are COMPLETED."""

    async def all_of_them() -> bool:
        return await count("COMPLETED") == number

    await until(all_of_them, seconds=seconds, what=f"{number} completed tasks")


def finish(ai: AIServerProcess) -> None:
    """Let the held calls have their answers, and all later ones at once."""
    ai.script(ANSWER)
    ai.release()


@pytest.mark.alone
async def test_five_hundred_calls_are_in_flight_at_once_in_one_worker_and_a_cancellation_lands_within_a_second(
    db: Database, cluster: Start, ai: AIServerProcess
) -> None:
    ai.script(HOLD)
    _, scenes, _, _ = await a_novel(db, 500)
    await cluster(**openai(ai), TASKS_WORKERS="1", TASKS_WORKER_CONCURRENCY="600", TASKS_LEASE_SECONDS="30").ready(1)
    begun = time.monotonic()
    submitted = await submit_all(WRITER, "GENERATE_SUMMARY", ({"sceneId": scene} for scene in scenes))
    await in_flight(ai, 500)
    print(f"500 calls: all in flight {time.monotonic() - begun:.1f} s after the first submission", end="")
    victim = submitted[250]
    asked = time.monotonic()
    await operations.cancel(victim, user_id=WRITER)
    await until(lambda: count("CANCELLED", _id=victim))
    assert time.monotonic() - asked < 1.0
    finish(ai)
    answered = time.monotonic()
    await completed(499)
    print(f", all done {time.monotonic() - answered:.1f} s after the first answer")
    assert ai.stats()["calls"] == ai.stats()["peak"] == 500


async def test_a_worker_killed_among_four_hundred_running_calls_costs_no_more_than_those(db: Database, cluster: Start, ai: AIServerProcess) -> None:
    ai.script(HOLD)
    novel, scenes, first, last = await a_novel(db, 600)
    workers = await cluster(**openai(ai), TASKS_WORKERS="2", TASKS_WORKER_CONCURRENCY="200", TASKS_LEASE_SECONDS="30").ready(2)
    batch = {"novelId": novel, "startChapterId": first, "endChapterId": last}
    parent = (await operations.submit(WRITER, "BATCH_GENERATE_SUMMARY", batch)).task_id
    await in_flight(ai, 400)
    workers.kill(workers.workers[0])
    await until(lambda: ai.stats()["byOutcome"].get("disconnected") == 200, what="the end of the killed worker's calls")
    finish(ai)
    await until(lambda: count("COMPLETED", _id=parent), seconds=120, what="the end of the batch")
    assert await count("COMPLETED", parentId=parent) == 600
    assert ai.stats()["calls"] == 600 + 200
    async for scene in db["scenes"].find({"_id": {"$in": scenes}}):
        assert scene["summary"], "a scene without its summary"
        assert scene["version"] == 2
        assert len(scene["history"]) == 1
    result = (await db[TASKS].find_one({"_id": parent}) or {})["result"]
    assert (result["totalScenes"], result["successCount"], result["failedCount"]) == (600, 600, 0)


async def test_limits_hold_across_clusters_as_the_ai_server_counts_them(db: Database, cluster: Start, ai: AIServerProcess) -> None:
    ai.script({"contains": "", "steps": [{"do": "hold", "times": 7}, {"do": "answer", "delay": 0.05}]})
    _, scenes, _, _ = await a_novel(db, 120)
    settings = openai(ai) | {"TASKS_WORKERS": "2", "TASKS_MAX_RUNNING_PER_USER": "7"}
    for each in [cluster(**settings), cluster(**settings)]:
        await each.ready(2)
    await submit_all(WRITER, "GENERATE_SUMMARY", ({"sceneId": scene} for scene in scenes))
    await in_flight(ai, 7)
    ai.release()
    await completed(120)
    assert ai.stats()["peak"] == 7


async def test_a_profiles_limit_is_kept_at_the_claim_and_not_in_a_slot(db: Database, cluster: Start, ai: AIServerProcess) -> None:
    ai.script({"contains": "", "steps": [{"do": "hold", "times": 5}, {"do": "answer", "delay": 0.1}]})
    _, scenes, _, _ = await a_novel(db, 30)
    await cluster(**openai(ai), TASKS_WORKERS="2", AI_MAX_CONCURRENCY="5").ready(2)
    await submit_all(WRITER, "GENERATE_SUMMARY", ({"sceneId": scene} for scene in scenes))
    await in_flight(ai, 5)
    ai.release()
    most = 0

    async def done() -> bool:
        nonlocal most
        most = max(most, await count("RUNNING"))
        return await count("COMPLETED") == 30

    await until(done)
    assert ai.stats()["peak"] == 5
    assert most <= 10  # five that run, and for a moment those that a second worker claimed and hands back


async def test_a_provider_that_says_later_is_waited_for_without_using_an_attempt(db: Database, cluster: Start, ai: AIServerProcess) -> None:
    ai.script({"contains": "", "steps": [{"do": "status", "status": 429, "retry_after": 1, "times": 3}, {"do": "answer"}]})
    _, [scene, *_], _, _ = await a_novel(db, 10)
    await cluster(**openai(ai), TASKS_WORKERS="1").ready(1)
    task = (await operations.submit(WRITER, "GENERATE_SUMMARY", {"sceneId": scene})).task_id
    waiting = await until(lambda: db[TASKS].find_one({"_id": task, "status": "RETRYING"}))
    assert waiting["wait"]["code"] == "provider_limited"
    ended = await until(lambda: db[TASKS].find_one({"_id": task, "status": "COMPLETED"}))
    assert ended["attempt"] == 1
    assert [entry["outcome"] for entry in ended["attempts"]] == ["retry", "retry", "retry", "completed"]
    assert ended["waitedSeconds"] >= 3.0


async def test_a_writers_edit_during_the_call_is_never_overwritten(db: Database, cluster: Start, ai: AIServerProcess) -> None:
    ai.script(HOLD)
    _, [scene, *_], _, _ = await a_novel(db, 10)
    await cluster(**openai(ai), TASKS_WORKERS="1").ready(1)
    task = (await operations.submit(WRITER, "GENERATE_SUMMARY", {"sceneId": scene, "autoApply": True})).task_id
    for version in (1, 2):
        await until(lambda number=version: ai.stats()["calls"] == number and ai.stats()["current"] == 1, what=f"call {version}")
        await SceneService(db).update(WRITER, scene, version=version, summary=f"my own words {version}")
        ai.release()
    await until(lambda: count("COMPLETED", _id=task))
    ended = await db[TASKS].find_one({"_id": task}) or {}
    assert (ended["result"]["applied"], ended["result"]["conflict"]) == (False, True)
    assert (await db["scenes"].find_one({"_id": scene}) or {})["summary"] == "my own words 2"
    assert ai.stats()["calls"] == 2
    applied = await operations.apply(task, user_id=WRITER, force=True)
    assert applied.version == 4
