"""Novels that exist."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.service import NovelService, SceneService
from ainoval.novels.views import ActInput, ChapterInput, NovelView, SceneView

ALICE = "0a11ce00-0000-4000-8000-000000000001"
BOB = "0b0b0000-0000-4000-8000-000000000002"


@pytest.fixture
def novels(db: AsyncDatabase[dict[str, Any]]) -> NovelService:
    """The novels of this test's database."""
    return NovelService(db)


@pytest.fixture
def scenes(db: AsyncDatabase[dict[str, Any]]) -> SceneService:
    """The scenes of this test's database."""
    return SceneService(db)


@pytest.fixture
async def novel(novels: NovelService) -> NovelView:
    """Alice's novel: two acts of two chapters, no scenes."""
    acts = [
        ActInput("Part One", [ChapterInput("Salt"), ChapterInput("Road")]),
        ActInput("Part Two", [ChapterInput("Home"), ChapterInput("After")]),
    ]
    return await novels.create(ALICE, "The Salt Road", acts)


@pytest.fixture
def scene(novel: NovelView, scenes: SceneService) -> Callable[..., Awaitable[SceneView]]:
    """`await scene(chapter=0, content="…")`: a stored scene in that chapter of alice's novel."""
    chapters = list(novel.chapters())

    async def make(chapter: int = 0, **fields: Any) -> SceneView:
        return await scenes.create(ALICE, novel.novel_id, chapters[chapter].chapter_id, **fields)

    return make
