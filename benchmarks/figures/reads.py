"""Reading with a million documents of 200 users in the collection, the largest with 20,000: four connections to two server processes.

One connection is the largest user's, the others belong to users with 5,000 to 10,000 tasks. MongoDB's cache is the development server's 256 MiB, a
fraction of the data.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks import load, seeding
from benchmarks.measured import Measured, percentile
from benchmarks.place import Place
from benchmarks.server import Writer, server, writers

TOTAL, USERS, LARGEST = 1_000_000, 200, 20_000
CONNECTIONS = 4
SECONDS = 5.0
PROCESSES = 2

LISTS = {
    "list": "/api/tasks",
    "list_failed": "/api/tasks?status=FAILED",
    "list_deep": "/api/tasks?page=40&size=100",
}


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Lists and details, after the documents have been made."""
    readers = (await asyncio.to_thread(writers, CONNECTIONS))[:CONNECTIONS]
    await seed(readers)
    ids = [await _some_ids(reader.user_id) for reader in readers]
    times: dict[str, list[float]] = {}
    with server(place, PROCESSES) as (port, _):
        for _ in range(rounds):
            for key, target in LISTS.items():
                times.setdefault(key, []).append(await _p95(port, [load.always(load.request("GET", target, reader.token)) for reader in readers]))
            details = [partial(_details, reader, own, random.Random(index)) for index, (reader, own) in enumerate(zip(readers, ids, strict=True))]
            times.setdefault("details", []).append(await _p95(port, details))
    titles = {
        "list": "GET /api/tasks, p95, 4 connections, a million documents",
        "list_failed": "GET /api/tasks?status=FAILED, likewise",
        "list_deep": "GET /api/tasks?page=40&size=100, likewise",
        "details": "GET /api/tasks/{id}, likewise",
    }
    return [Measured(f"read_{key}", titles[key], "ms", tuple(values)) for key, values in times.items()]


async def seed(readers: list[Writer]) -> None:
    """Make the million: the largest users are those who will read."""
    start = time.monotonic()
    user_ids = [reader.user_id for reader in readers] + [str(uuid.uuid4()) for _ in range(USERS - len(readers))]
    await seeding.fill(seeding.ended_tasks(user_ids, seeding.shares(TOTAL, USERS, LARGEST)))
    print(f"# {TOTAL:,} documents made in {time.monotonic() - start:.0f} s", flush=True)


async def _some_ids(user_id: str) -> list[str]:
    from ainoval import mongo

    stages: list[dict[str, Any]] = [{"$match": {"userId": user_id}}, {"$project": {"_id": 1}}, {"$sample": {"size": 2_000}}]
    return [task["_id"] async for task in await mongo.database()["background_tasks"].aggregate(stages)]


async def _p95(port: int, connections: Sequence[load.Requests]) -> float:
    done = await load.run(port, connections, 200, seconds=SECONDS)
    return 1000 * percentile(done.latencies, 0.95)


def _details(reader: Writer, ids: list[str], rng: random.Random) -> bytes:
    return load.request("GET", f"/api/tasks/{rng.choice(ids)}", reader.token)
