"""Put tasks in through the shipped operations, wait for their ends, and read every document before anybody believes a figure."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import record
from benchmarks.place import Place
from benchmarks.processes import Group

USER = "bench"
AT_ONCE = 50
IN_ONE_CALL = 1_000
STORED_LOOK_SECONDS = 0.005

Json = dict[str, Any]


def submit_many() -> Callable[[str, str, list[Json]], Awaitable[object]] | None:
    """Return the operation that submits many tasks in one call; None where it is not there yet."""
    from tasks_app import operations

    return getattr(operations, "submit_many", None)


async def submit(task_type: str, number: int, parameters: Json, at_once: int = AT_ONCE) -> None:
    """Submit one by one, some at a time."""
    from tasks_app import operations

    for start in range(0, number, at_once):
        await asyncio.gather(*(operations.submit(USER, task_type, parameters) for _ in range(min(at_once, number - start))))


async def queue(task_type: str, number: int, parameters: Json) -> None:
    """Have exactly these tasks of the measured user, all QUEUED."""
    await forget()
    await put(task_type, number, parameters)


async def put(task_type: str, number: int, parameters: Json) -> None:
    """Submit tasks: many in one call, where that is there."""
    many = submit_many()
    if many is None:
        return await submit(task_type, number, parameters)
    for start in range(0, number, IN_ONE_CALL):
        await many(USER, task_type, [parameters] * min(IN_ONE_CALL, number - start))


async def forget() -> None:
    """Delete the measured user's tasks; others' stay."""
    from ainoval import mongo

    await mongo.database()["background_tasks"].delete_many({"userId": USER})


async def recorded(place: Place, number: int, *workers: Group, seconds: float) -> None:
    """Wait until so many executions are on record. Looks at a file's size only: no query disturbs what is measured."""
    deadline = time.monotonic() + seconds
    while record.count(place.record) < number:
        if any(each.has_ended for each in workers) or time.monotonic() > deadline:
            raise SystemExit(f"only {record.count(place.record):,} of {number:,} tasks ran within {seconds:.0f} s:\n{workers[0].tail()}")
        await asyncio.sleep(0.003)


async def stored(number: int, *, seconds: float = 60.0) -> float:
    """Wait until the last ending is stored (to be asked once all have run), and return when that was seen, by the monotonic clock."""
    from ainoval import mongo

    tasks = mongo.database()["background_tasks"]
    deadline = time.monotonic() + seconds
    for status in ("QUEUED", "RETRYING", "RUNNING"):
        # By status: one key tells. By the index that begins with the user it would be all that has ended, for each look.
        while await tasks.find_one({"status": status, "userId": USER}, {"_id": 1}, hint="listed"):
            if time.monotonic() > deadline:
                raise SystemExit(f"there are {status} tasks after {seconds:.0f} s")
            await asyncio.sleep(STORED_LOOK_SECONDS)
    return time.monotonic()


async def check(number: int) -> None:
    """Read every document of the measured user.

    Raises:
        SystemExit: There are not so many, or one of them has not completed in one attempt, with its times in order and no lease left.
    """
    from ainoval import mongo

    seen = 0
    async for task in mongo.database()["background_tasks"].find({"userId": USER}):
        seen += 1
        if wrong := what_is_wrong(task):
            raise SystemExit(f"{wrong}: {task}")
    if seen != number:
        raise SystemExit(f"{seen:,} tasks are stored where {number:,} were submitted")


def what_is_wrong(task: Json) -> str:
    """Return what keeps a task's document from being that of one clean execution; nothing if it is."""
    if task["status"] != "COMPLETED":
        return f"it is {task['status']}"
    if "lease" in task:
        return "it has a lease"
    if task["attempt"] != 1 or len(task["attempts"]) != 1 or task["crashCount"]:
        return "it was not one attempt"
    [attempt] = task["attempts"]
    if attempt["outcome"] != "completed":
        return f"its attempt is {attempt['outcome']}"
    if not task["createdAt"] <= task["startedAt"] <= attempt["startedAt"] <= attempt["endedAt"] <= task["completedAt"]:
        return "its times are out of order"
    return ""
