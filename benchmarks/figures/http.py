"""Submissions over HTTP with 32 connections, one writer each, to one and to two server processes.

What is submitted is the main job: GENERATE_SUMMARY of a scene of one's own, so that each request checks the token, looks its user up, reads scene and
novel, takes a fair-share key and inserts. A type without look-ups is measured beside it.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from benchmarks import load
from benchmarks.measured import Measured
from benchmarks.place import Place
from benchmarks.server import Writer, server, writers

CONNECTIONS = 32
SECONDS = 4.0


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Both kinds of task on each number of processes; every accepted one must be stored."""
    people = await asyncio.to_thread(writers, CONNECTIONS)
    summaries = await submissions(people)
    nothing = [_submission(each, "bench-noop", {}) for each in people]
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for processes in (1, 2):
            with server(place, processes) as (port, _):
                for name, requests in (("http", summaries), ("http_noop", nothing)):
                    rates.setdefault((name, processes), []).append(await _rate(port, requests, people))
    return [
        Measured(f"{name}_{processes}", f"submit {what} over HTTP, 32 connections, {count}", "req/s", tuple(rates[name, processes]), digits=0)
        for name, what in (("http", "GENERATE_SUMMARY"), ("http_noop", "a type without look-ups"))
        for processes, count in ((1, "one server process"), (2, "two server processes"))
    ]


async def submissions(people: Sequence[Writer]) -> list[bytes]:
    """Return for each writer a submission of GENERATE_SUMMARY for a scene of theirs, which is made here."""
    return [_submission(each, "generate-summary", {"sceneId": await _scene(each)}) for each in people]


async def _rate(port: int, requests: list[bytes], people: list[Writer]) -> float:
    from ainoval import mongo

    done = await load.run(port, [load.always(sent) for sent in requests], 202, seconds=SECONDS)
    mine = {"userId": {"$in": [each.user_id for each in people]}}
    tasks = mongo.database()["background_tasks"]
    stored = await tasks.count_documents({**mine, "status": "QUEUED"})
    if stored != done.accepted:
        raise SystemExit(f"{stored:,} tasks are stored where {done.accepted:,} were accepted")
    await tasks.delete_many(mine)
    return done.rate


def _submission(writer: Writer, task_type: str, parameters: dict[str, Any]) -> bytes:
    return load.request("POST", f"/api/tasks/{task_type}", writer.token, json.dumps(parameters).encode())


async def _scene(writer: Writer) -> str:
    from ainoval.novels.views import ActInput, ChapterInput
    from tasks_app.operations import services

    domain = services()
    novels, _ = await domain.novels.list(writer.user_id)
    novel = novels[0] if novels else await domain.novels.create(writer.user_id, "Measured", [ActInput("One", [ChapterInput("One")])])
    [chapter] = novel.chapters()
    scene = await domain.scenes.create(writer.user_id, novel.novel_id, chapter.chapter_id, content="It rained. Nobody minded. " * 40)
    return scene.scene_id
