"""The ledger of effects: what the tasks of a scenario have done to the world, counted where it is done.

`LEDGER` is the world: one line for each task and step, by a unique index, as a scene takes a task's text once. `TRIES` notes each time somebody set about a
line, when, and with the token of the attempt that did: the judge finds there who tried without holding the task.
"""

import time
from typing import Any

from pymongo.errors import DuplicateKeyError

from ainoval import mongo
from tasks_app.executable import TaskContext

LEDGER = "torture_ledger"
TRIES = "torture_tries"


def make_indexes() -> None:
    """Create the index that makes a line unique."""
    mongo.sync_database()[LEDGER].create_index([("task", 1), ("step", 1)], unique=True, name="once")


def token_of(ctx: TaskContext) -> str:
    """Return the fencing token of the attempt that runs. No author of a task type needs it; here it is the evidence."""
    token: str = ctx._attempt.token  # type: ignore[attr-defined]
    return token


async def enter(ctx: TaskContext, step: int) -> None:
    """Write a task's line, once: a line that is there already is what an earlier attempt has done."""

    async def write() -> None:
        db: Any = mongo.database()
        line = {"task": ctx.task_id, "step": step, "token": token_of(ctx), "begun": time.monotonic()}  # of the machine: no clock of this process can be wrong
        await db[TRIES].insert_one(dict(line))
        try:
            await db[LEDGER].insert_one(line)
        except DuplicateKeyError:
            pass

    await ctx.effect(write)
