"""Whose turn it is when one task has come: idle workers all hear of it, and all but one would ask for it in vain."""

import zlib
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from tasks_app.conf import WORKER_SILENCE
from tasks_app.documents import WORKERS
from tasks_app.worker.clock import ServerClock

Json = dict[str, Any]


class Turns:
    """Shares single tasks out among the workers that have room, as far as their heartbeats tell: a hint, of which each worker may hold another opinion."""

    def __init__(self, db: AsyncDatabase[Json], owner: str, clock: ServerClock) -> None:
        self._workers = db[WORKERS]
        self._owner = owner
        self._clock = clock
        self._owners: list[str] = []
        self._asked = False

    def mine(self, task_id: str) -> bool:
        """Whether this worker looks for the task at once. As long as it does not know the others, it does."""
        self._asked = True
        return not self._owners or self._owners[zlib.crc32(task_id.encode()) % len(self._owners)] == self._owner

    async def refresh(self) -> None:
        """Read who there is, if that was asked since the last time."""
        if not self._asked:
            self._owners = []
            return
        self._asked = False
        able = {
            "heartbeatAt": {"$gt": self._clock.now() - WORKER_SILENCE},
            "draining": False,
            "$expr": {"$lt": ["$running", "$slots"]},
        }
        self._owners = sorted([worker["_id"] async for worker in self._workers.find(able, {"_id": 1})])
