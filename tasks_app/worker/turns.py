"""Whose turn it is when one task has come: of idle workers that all heard of it, all but one would ask for it in vain."""

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from tasks_app.conf import WORKER_SILENCE
from tasks_app.documents import WORKERS
from tasks_app.worker.clock import ServerClock

Json = dict[str, Any]

ALL = "0123456789abcdef"


class Turns:
    """Shares tasks out among the workers that have room, as far as their heartbeats tell: a hint, of which each worker may hold another opinion."""

    def __init__(self, db: AsyncDatabase[Json], owner: str, clock: ServerClock) -> None:
        self._workers = db[WORKERS]
        self._owner = owner
        self._clock = clock
        self._owners: list[str] = []

    def mine(self) -> str:
        """Return the last digits of the ids of the tasks that this worker looks for at once. As long as it is not known itself, that is all of them."""
        return share(self._owners, self._owner)

    async def refresh(self) -> None:
        """Read who there is."""
        able = {
            "heartbeatAt": {"$gt": self._clock.now() - WORKER_SILENCE},
            "draining": False,
            "$expr": {"$lt": ["$running", "$slots"]},
        }
        self._owners = sorted([worker["_id"] async for worker in self._workers.find(able, {"_id": 1})])


def share(owners: Sequence[str], owner: str) -> str:
    """Return one owner's share of the hexadecimal digits; of more than sixteen, some have the same. Ids count up, or are hashes: no last digit is rarer."""
    if owner not in owners:
        return ALL
    shares = min(len(owners), len(ALL))
    return ALL[owners.index(owner) % shares :: shares]
