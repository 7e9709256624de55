"""Setting the system to work: tasks submitted through the shipped operation, evenly or at once, and the wait for their end."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ainoval import mongo
from benchmarks.torture.fleet import Fleet, until
from tasks_app import operations
from tasks_app.documents import TASKS
from tasks_app.states import UNFINISHED

Json = dict[str, Any]

AT_ONCE = 25
USERS = ("alice", "bob", "carol", "dave")
PROBE_SECONDS = 1.0


async def submit(task_type: str, parameters: Iterable[Mapping[str, Any]]) -> list[str]:
    """Submit tasks, some at a time, for several users in turn; return their ids."""
    given = list(parameters)
    accepted: list[str] = []
    for start in range(0, len(given), AT_ONCE):
        group = [operations.submit(USERS[number % len(USERS)], task_type, each) for number, each in enumerate(given[start : start + AT_ONCE], start=start)]
        accepted += [submitted.task_id for submitted in await asyncio.gather(*group)]
    return accepted


async def submit_evenly(task_type: str, number: int, seconds: float, parameters: Callable[[], Mapping[str, Any]]) -> list[str]:
    """Submit so many tasks over so many seconds, in a wave each second: between the waves workers become idle."""
    accepted: list[str] = []
    began = time.monotonic()
    while len(accepted) < number:
        due = min(number, round(number * (time.monotonic() - began + 1.0) / seconds))
        accepted += await submit(task_type, [parameters() for _ in range(due - len(accepted))])
        await asyncio.sleep(1.0 - (time.monotonic() - began) % 1.0)
    return accepted


async def all_ended(seconds: float) -> bool:
    """Wait until no task is unfinished; return whether that came true."""

    async def none_unfinished() -> bool:
        return await mongo.database()[TASKS].count_documents({"status": {"$in": sorted(UNFINISHED)}}, limit=1) == 0

    return await until(none_unfinished, seconds=seconds)


async def wedged(fleet: Fleet, slots: int) -> list[str]:
    """Give the fleet as much work as it has slots; return the workers and clusters that live and take no part in it."""
    await fleet.ready()
    owners = set((await fleet.owners()).values())
    probes = await submit("TORTURE_WORK", [{"milliseconds": round(1000 * PROBE_SECONDS)}] * (slots * len(owners)))
    await all_ended(20 + PROBE_SECONDS)
    took_part = {entry["worker"] async for task in mongo.database()[TASKS].find({"_id": {"$in": probes}}, {"attempts.worker": 1}) for entry in task["attempts"]}
    return sorted(owners - took_part)
