"""Scenes in the order they are read: acts, chapters, then `sequence`, then id."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.documents import SCENES


def chapter_ids(novel: Mapping[str, Any]) -> list[str]:
    """Return the ids of a stored novel's chapters in reading order."""
    return [chapter["chapterId"] for act in novel["acts"] for chapter in act["chapters"]]


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """Sorts stored scenes of one novel."""

    positions: Mapping[str, int]

    @classmethod
    def of(cls, chapters: Iterable[str]) -> "ReadingOrder":
        """Build the order from chapter ids in order."""
        return cls({chapter_id: position for position, chapter_id in enumerate(chapters)})

    def key(self, scene: Mapping[str, Any]) -> tuple[int, str, int, str]:
        """Return what to sort a stored scene by. Scenes of a chapter that is gone come last."""
        chapter_id = scene["chapterId"]
        return (self.positions.get(chapter_id, len(self.positions)), chapter_id, scene["sequence"], scene["_id"])


async def page_of_ids(db: AsyncDatabase[dict[str, Any]], novel_id: str, chapters: list[str], offset: int, limit: int) -> tuple[list[str], int]:
    """Return the ids of one page of a novel's scenes in reading order, and how many scenes it has.

    Counts per chapter say which chapters the page touches, so only their keys are read; both queries are answered by the index alone.
    """
    counts = {
        row["_id"]: row["n"]
        async for row in await db[SCENES].aggregate([{"$match": {"novelId": novel_id}}, {"$group": {"_id": "$chapterId", "n": {"$sum": 1}}}])
    }
    order = ReadingOrder.of(chapters)
    ordered = [*(c for c in chapters if c in counts), *sorted(c for c in counts if c not in order.positions)]
    touched: list[str] = []
    skipped = seen = 0
    for chapter_id in ordered:
        if seen >= offset + limit:
            break
        seen += counts[chapter_id]
        if seen <= offset:
            skipped = seen
        else:
            touched.append(chapter_id)
    keys = [key async for key in db[SCENES].find({"novelId": novel_id, "chapterId": {"$in": touched}}, {"chapterId": 1, "sequence": 1})]
    keys.sort(key=order.key)
    start = offset - skipped
    return [key["_id"] for key in keys[start : start + limit]], sum(counts.values())
