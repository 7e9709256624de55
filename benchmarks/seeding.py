"""Fill the collection with other users' tasks, by raw bulk inserts: what it looks like after months of work."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

GROUP = 5_000
DAYS = 30
# Of a hundred ended tasks; the rest has completed.
FAILED, CANCELLED = 3, 2

Json = dict[str, Any]


def shares(total: int, users: int, largest: int) -> list[int]:
    """Return how many tasks each user has: the largest first, the others on a line down to almost none."""
    others = users - 1
    weights = range(others, 0, -1)
    left = total - largest
    counts = [left * weight // sum(weights) for weight in weights]
    counts[0] += left - sum(counts)
    return [largest, *counts]


def ended_tasks(user_ids: Sequence[str], counts: Sequence[int], seed: int = 1) -> Iterator[Json]:
    """Yield ended summaries of these users, of the last thirty days, in the shape that a worker leaves behind."""
    from ainoval.ids import new_id

    rng = random.Random(seed)
    now = datetime.now(UTC).replace(microsecond=0)
    text = "They crossed before dawn, and the ferryman would not take the coin. " * 4
    for user_id, count in zip(user_ids, counts, strict=True):
        for number in range(count):
            created = now - timedelta(milliseconds=rng.randrange(1, DAYS * 86_400_000))
            started, ended = created + timedelta(seconds=2), created + timedelta(seconds=14)
            scene_id = new_id()
            lot = rng.randrange(100)
            status = "FAILED" if lot < FAILED else "CANCELLED" if lot < FAILED + CANCELLED else "COMPLETED"
            yield {
                "_id": new_id(),
                "userId": user_id,
                "taskType": "GENERATE_SUMMARY",
                "status": status,
                "parameters": {"sceneId": scene_id, "aiConfigId": None, "instructions": None, "overwriteExisting": True, "autoApply": False},
                "progress": {"percentage": 100 if status == "COMPLETED" else 10, "message": "Storing", "current": None, "total": None},
                "result": {"sceneId": scene_id, "summary": text, "sceneVersion": 1, "applied": False, "conflict": False, "skipped": False}
                if status == "COMPLETED"
                else None,
                "createdAt": created,
                "updatedAt": ended,
                "startedAt": started,
                "completedAt": ended,
                "expireAt": now + timedelta(days=DAYS),
                "lane": 0,
                "priority": 0,
                "fairKey": float(number),
                "availableAt": created,
                "attempt": 1,
                "maxAttempts": 3,
                "crashCount": 0,
                "attempts": [{"attempt": 1, "startedAt": started, "endedAt": ended, "outcome": status.lower(), "token": scene_id}],
                "parentId": None,
                "waitedSeconds": 0.0,
                "generation": 0,
            }


async def fill(documents: Iterator[Json]) -> None:
    """Insert documents, then bring the indexes back: built at once they take a fraction of the time."""
    from ainoval import indexes, mongo

    tasks = mongo.database().get_collection("background_tasks", write_concern=mongo.HINT)
    await tasks.drop_indexes()
    pending: set[asyncio.Task[Any]] = set()
    while group := list(islice(documents, GROUP)):
        pending.add(asyncio.create_task(tasks.insert_many(group, ordered=False)))
        if len(pending) > 1:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    if pending:
        await asyncio.wait(pending)
    await asyncio.to_thread(indexes.ensure_indexes)
