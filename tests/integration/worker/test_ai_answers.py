"""What a worker makes of an AI server's answers: a real server on loopback that is told what to say."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.service import NovelService, SceneService
from ainoval.novels.views import ActInput, ChapterInput
from tasks_app import operations
from tasks_app.documents import TASKS
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support.ai_server import AIServer
from tests.support.watched import stored

Db = AsyncDatabase[dict[str, Any]]


@pytest.fixture
def ai(settings: Any) -> Iterator[AIServer]:
    """The server that the default profile asks."""
    with AIServer() as server:
        asks = {"ai_provider": "openai", "openai_base_url": server.url, "openai_api_key": SecretStr("sk-test")}
        settings.AINOVAL = settings.AINOVAL.model_copy(update=asks)
        yield server


@pytest.fixture
async def scene(db: Db) -> str:
    """A scene of alice's, with a text."""
    novel = await NovelService(db).create("alice", "The Lamp", [ActInput("", [ChapterInput("One")])])
    [chapter] = novel.chapters()
    return (await SceneService(db).create("alice", novel.novel_id, chapter.chapter_id, content="Mara climbed the stairs of the lighthouse.")).scene_id


async def completed(db: Db, task_id: str) -> dict[str, Any]:
    """Wait for a task's result, without the pauses between its attempts; return it."""

    async def is_done() -> bool:
        await db[TASKS].update_one({"_id": task_id, "status": "RETRYING"}, {"$set": {"availableAt": datetime.now(UTC)}})
        return bool((await stored(task_id))["status"] == "COMPLETED")

    await until(is_done)
    return await stored(task_id)


async def test_a_text_that_is_too_large_for_its_scene_is_generated_again(start: Callable[..., Worker], db: Db, ai: AIServer, scene: str) -> None:
    ai.script({"steps": [{"do": "answer", "text": "Mara climbed. " * 5_000}, {"do": "answer", "text": "Mara climbed."}]})
    start()

    submitted = await operations.submit("alice", "GENERATE_SUMMARY", {"sceneId": scene, "autoApply": True})
    task = await completed(db, submitted.task_id)

    assert [entry["outcome"] for entry in task["attempts"]] == ["retry", "completed"]
    error = task["attempts"][0]["error"]
    assert error["code"] == "bad_response" and "65,536" in error["message"]
    assert task["usage"]["completionTokens"] == 10_000 + 2, "both answers are paid for"
    assert (await SceneService(db).get("alice", scene)).summary == "Mara climbed."
