"""Waking an idle worker as soon as a task becomes due: a change stream, which is a hint. The worker's regular look is the truth."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from ainoval.logs import get_logger
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus

Json = dict[str, Any]

# Two open streams cost a busy system a fifth of its throughput (measured), so one is only open while there is nothing to do.
CLOSE_AFTER_BUSY_SECONDS = 1.0
REOPEN_SECONDS = 1.0
# Attempts that end in crowds are thousands of writes a second, and each wakes every open stream at the server: to look now and then is cheaper.
CALM_SECONDS = 0.3
LOOK_SECONDS = 0.1
# After an event the claim goes first: the question for the next event would be before it on the loop, and beside it at the server. Not after each event
# of a crowd, for those that come in one answer are heard of at once.
REST_SECONDS = 0.003

log = get_logger(__name__)


def pipeline(mine: str) -> list[Json]:
    """Return the change stream's stages, for tasks whose ids end in one of these digits.

    In these words the server leaves out all other changes while it reads its log. If an update were asked for its document's status, which only a look at
    the document could tell, each would be made an event first.
    """
    queued = [{"operationType": "insert"}, {"operationType": "update", "updateDescription.updatedFields.status": TaskStatus.QUEUED.value}]
    return [{"$match": {"$or": queued, "documentKey._id": {"$regex": f"[{mine}]$"}}}, {"$project": {"_id": 1, "documentKey": 1}}]


class WakeUps:
    """Tells the claim loop when to look again.

    Args:
        mine: Returns the last digits of the ids of the tasks that this worker is told of; others' are found by the regular look, if need be.
    """

    def __init__(self, db: AsyncDatabase[Json], mine: Callable[[], str]) -> None:
        self._tasks = db[TASKS]
        self._mine = mine
        self._event = asyncio.Event()
        self._hints = 0
        self._whole = False
        self._idle = asyncio.Event()
        self._busy_at = float("-inf")
        self._crowded_until = float("-inf")
        self._rested_at = float("-inf")

    def now(self) -> None:
        """Wake the claim loop: any number of tasks may be due."""
        self._whole = True
        self._event.set()

    def busy(self) -> None:
        """A claim found something."""
        self._busy_at = time.monotonic()
        self._idle.clear()

    def crowd(self) -> None:
        """Many attempts end at once."""
        self._crowded_until = time.monotonic() + CALM_SECONDS

    @property
    def _crowded(self) -> bool:
        return time.monotonic() < self._crowded_until

    async def wait(self) -> bool:
        """Wait until something may be due; return whether it is one task that has just come, as far as is known."""
        self._idle.set()
        await self._event.wait()
        self._event.clear()
        one = self._hints == 1 and not self._whole
        self._hints, self._whole = 0, False
        return one

    async def run(self) -> None:
        """Watch the collection whenever the worker is idle, until cancelled."""
        while True:
            await self._idle.wait()
            if self._crowded:
                await asyncio.sleep(LOOK_SECONDS)
                if self._idle.is_set():
                    self.now()
                continue
            mine = self._mine()
            try:
                async with await self._tasks.watch(pipeline(mine), max_await_time_ms=1_000) as stream:
                    self.now()  # something may have come before the stream was open
                    while self._listens() and mine == self._mine():
                        if await stream.try_next() is not None:
                            self._hints += 1
                            self._event.set()
                            await self._rest()
            except PyMongoError as exc:
                # Not a fault: without the stream, tasks are found by polling.
                log.debug("change_stream_closed", error=type(exc).__name__)
                await asyncio.sleep(REOPEN_SECONDS)

    def _listens(self) -> bool:
        return not self._crowded and (self._idle.is_set() or time.monotonic() - self._busy_at < CLOSE_AFTER_BUSY_SECONDS)

    async def _rest(self) -> None:
        if time.monotonic() - self._rested_at >= REST_SECONDS:
            await asyncio.sleep(REST_SECONDS)
            self._rested_at = time.monotonic()
