"""The documents and the indexes: what MongoEngine declares is what the services write and their queries use."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.documents import Novel, Scene
from ainoval.novels.service import SceneService
from ainoval.novels.views import NovelView, SceneView
from tests.integration.novels.conftest import ALICE

Db = AsyncDatabase[dict[str, Any]]
Make = Callable[..., Awaitable[SceneView]]


async def test_mongoengine_reads_what_the_services_write(db: Db, scenes: SceneService, scene: Make, novel: NovelView) -> None:
    made = await scene(title="t", content="one two", summary="s")
    await scenes.apply_text(ALICE, made.scene_id, field="summary", text="s2", expected_version=1, task_id="0" * 24)
    document = await db["scenes"].find_one({"_id": made.scene_id})
    read = Scene._from_son(document)
    assert (read.id, read.novel_id, read.word_count, read.version, read.summary) == (made.scene_id, novel.novel_id, 2, 2, "s2")
    assert (read.history[0].task_id, read.history[0].text) == ("0" * 24, "s")
    assert read.to_mongo().to_dict() == document
    stored = await db["novels"].find_one({"_id": novel.novel_id})
    whole = Novel._from_son(stored)
    assert [chapter.title for act in whole.acts for chapter in act.chapters] == ["Salt", "Road", "Home", "After"]
    assert whole.to_mongo().to_dict() == stored


QUERIES: list[tuple[str, Mapping[str, Any], str, int]] = [
    ("novels", {"find": "novels", "filter": {"author": "a"}, "sort": {"createdAt": -1, "_id": -1}, "limit": 20}, "novels_of_author", 20),
    ("novels", {"count": "novels", "query": {"author": "a"}}, "novels_of_author", 31),
    ("scenes", {"find": "scenes", "filter": {"novelId": "n", "chapterId": "c1"}, "sort": {"sequence": 1, "_id": 1}, "limit": 5}, "scenes_in_order", 5),
    ("scenes", {"find": "scenes", "filter": {"novelId": "n", "chapterId": "c1"}, "sort": {"sequence": -1, "_id": -1}, "limit": 1}, "scenes_in_order", 1),
    ("scenes", {"find": "scenes", "filter": {"novelId": "n", "chapterId": {"$in": ["c1", "c2"]}}}, "scenes_in_order", 21),
    ("scenes", {"find": "scenes", "filter": {"novelId": "n"}, "projection": {"_id": 1}}, "scenes_in_order", 50),
    ("scenes", {"delete": "scenes", "deletes": [{"q": {"novelId": "n"}, "limit": 0}]}, "scenes_in_order", 50),
]


@pytest.mark.parametrize(("collection", "command", "index", "most_keys"), QUERIES)
async def test_each_query_reads_only_its_part_of_an_index(db: Db, collection: str, command: Mapping[str, Any], index: str, most_keys: int) -> None:
    rows = [{"_id": f"{c}{n}", "novelId": "n" if c < 5 else "m", "chapterId": f"c{c}", "sequence": n} for c in range(10) for n in range(10)]
    await db["scenes"].insert_many(rows)
    await db["novels"].insert_many([{"_id": f"{n}", "author": "a" if n < 30 else "b", "createdAt": n} for n in range(60)])
    plan = await db.command({"explain": command, "verbosity": "executionStats"})
    stages = list(_stages(plan["queryPlanner"]["winningPlan"]))
    assert {"SORT", "COLLSCAN"}.isdisjoint(stage["stage"] for stage in stages)
    assert {stage["indexName"] for stage in stages if "indexName" in stage} == {index}
    assert plan["executionStats"]["totalKeysExamined"] <= most_keys


@pytest.mark.parametrize(
    "pipeline",
    [
        [{"$match": {"novelId": "n"}}, {"$group": {"_id": "$chapterId", "n": {"$sum": 1}}}],
        [{"$group": {"_id": "$novelId"}}],
    ],
)
async def test_counts_are_read_from_the_index_alone(db: Db, pipeline: list[dict[str, Any]]) -> None:
    await db["scenes"].insert_many([{"_id": f"{n}", "novelId": "n", "chapterId": f"{n % 3}", "sequence": n} for n in range(30)])
    plan = await db.command({"explain": {"aggregate": "scenes", "pipeline": pipeline, "cursor": {}}, "verbosity": "executionStats"})
    assert "COLLSCAN" not in str(plan)
    assert "scenes_in_order" in str(plan)
    assert "'FETCH'" not in str(plan)


def _stages(plan: Any) -> Any:
    if isinstance(plan, dict):
        if "stage" in plan:
            yield plan
        for value in plan.values():
            yield from _stages(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from _stages(value)
