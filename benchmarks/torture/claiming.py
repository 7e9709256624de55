"""Claimers in processes of their own, which take everything that is due and run nothing of it; and MongoDB's own account of what their searches cost."""

import asyncio
import multiprocessing
import os
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from pymongo import MongoClient

from ainoval import mongo
from tasks_app import registry
from tasks_app.conf import task_settings
from tasks_app.worker.claims import Claimer
from tasks_app.worker.limits import Limits
from tasks_app.worker.worker import CLAIM_GROUP

Json = dict[str, Any]

EMPTY_ROUNDS = 10  # others may have been faster a few times in a row
PATIENCE_SECONDS = 60
PROFILE_BYTES = 256 * 1024 * 1024

start: Barrier | None = None


def line_up(barrier: Barrier) -> None:
    """Remember what this process waits at until all the others have come."""
    global start
    start = barrier


def own_types_only() -> None:
    """Forget this program's task types: a search past limits costs keys for each type that there is, and the project has four."""
    for executable in registry.all_types():
        if executable.task_type.startswith("TORTURE_"):
            registry.unregister(executable.task_type)


def claim_everything(seed: int, per_user: int, most: int) -> list[tuple[str, str]]:
    """Claim until nothing is due (for this process's limits); return the tasks with the tokens they were won under."""
    own_types_only()

    async def claims() -> list[tuple[str, str]]:
        rng = random.Random(seed)
        claimer = Claimer(mongo.database(), f"claimer:{os.getpid()}", Limits(0, per_user, {}, {}), task_settings())
        won: list[tuple[str, str]] = []
        empty = 0
        assert start is not None
        await mongo.database().command("ping")
        start.wait(PATIENCE_SECONDS)
        while empty < EMPTY_ROUNDS:
            group = await claimer.claim(rng.randint(1, most))
            won += [(task["_id"], group.token) for task in group.tasks]
            await asyncio.sleep(claimer.pause)  # as a worker does
            if group.tasks:
                empty = 0
            else:
                empty += 1
                await asyncio.sleep(0.1 * rng.random())
        await mongo.close()
        return won

    return asyncio.run(claims())


async def claim_alone(number: int, *, per_user: int = 0) -> int:
    """Let one worker claim so many tasks, in groups as large as a worker's; return how many it won."""
    own_types_only()
    claimer = Claimer(mongo.database(), "claimer:alone", Limits(0, per_user, {}, {}), task_settings())
    won = 0
    while won < number and (group := await claimer.claim(CLAIM_GROUP)).tasks:
        won += len(group.tasks)
    return won


async def claim_at_once(claimers: int, seed: int, most: int, *, per_user: int = 0) -> list[list[tuple[str, str]]]:
    """Let so many processes claim everything, up to `most` at a time; return what each of them won."""
    loop = asyncio.get_running_loop()
    # Forked, not started anew: sixteen interpreters that load the project would take longer than what is measured.
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(claimers, mp_context=fork, initializer=line_up, initargs=(fork.Barrier(claimers),)) as pool:
        return list(await asyncio.gather(*(loop.run_in_executor(pool, claim_everything, seed + number, per_user, most) for number in range(claimers))))


@dataclass(frozen=True, slots=True)
class Cost:
    """What the server says: keys that the searches for due tasks examined, and write conflicts of everything."""

    keys: int
    searches: int
    conflicts: int


class Account:
    """MongoDB's profiler, switched on for a while."""

    def __init__(self) -> None:
        self._client: MongoClient[Json] = MongoClient(mongo.uri())
        self._db = self._client[mongo.database_name()]

    def begin(self) -> None:
        """Note every command from now on."""
        self._db.command("profile", 0)
        self._db.drop_collection("system.profile")
        self._db.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
        self._before = self._conflicts()
        self._db.command("profile", 2)

    def end(self) -> Cost:
        """Stop, and add up."""
        self._db.command("profile", 0)
        by_claim = {"$in": ["claim", "claim_by_user"]}
        # The rest of a long answer is a command of its own, with the keys that it cost.
        either = [{"op": "query", "command.hint": by_claim}, {"op": "getmore", "originatingCommand.hint": by_claim}]
        search = {"ns": f"{self._db.name}.background_tasks", "$or": either}
        keys = searches = 0
        for entry in self._db["system.profile"].find(search, {"keysExamined": 1}):
            keys += entry.get("keysExamined", 0)
            searches += 1
        return Cost(keys, searches, self._conflicts() - self._before)

    def _conflicts(self) -> int:
        return int(self._client.admin.command("serverStatus")["metrics"]["operation"]["writeConflicts"])

    def close(self) -> None:
        """Disconnect."""
        self._client.close()
