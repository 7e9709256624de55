"""Fair shares: users get the workers evenly, whatever each of them has queued; and the two limits that are checked at a submission.

Start-time fair queueing: a task's key is the larger of the system's virtual time and its user's last key, plus its cost; the smallest key is claimed
first. Somebody who submits one task while another has ten thousand queued waits for about one task of each user. Virtual time is the largest key
claimed so far, so that a user who was away cannot claim back the time.

All of it is one unjournaled update of `task_users/{userId}`: a hint. When it is lost, somebody is served a little early.

Source: P. Goyal, H. M. Vin, H. Cheng, "Start-time Fair Queueing", SIGCOMM 1996, https://doi.org/10.1145/248157.248171
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from ainoval import mongo
from tasks_app.documents import SINGLE_LANE, TASKS, USERS
from tasks_app.states import TaskStatus

Json = dict[str, Any]

VIRTUAL_TIME = "*"  # no user's id: those are UUIDs
_VIRTUAL_TIME_AGE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was given: `granted` keys from `fair_key` on, one apart; what the limits knew afterwards; and when it was, by the server's clock."""

    fair_key: float
    granted: int
    tokens: float
    queued: int
    at: datetime


_virtual_times: dict[str, tuple[float, float]] = {}  # by database: when it was read, and what it was


class FairShares:
    """Keys for new tasks, through one database."""

    def __init__(self, db: AsyncDatabase[Json]) -> None:
        self._name = db.name
        self._users = db.get_collection(USERS, write_concern=mongo.HINT)
        self._tasks = db[TASKS]

    async def virtual_time(self) -> float:
        """Return the largest key claimed so far, at most a quarter of a second old."""
        read_at, virtual_time = _virtual_times.get(self._name, (float("-inf"), 0.0))
        if time.monotonic() - read_at > _VIRTUAL_TIME_AGE_SECONDS:
            document = await self._users.find_one({"_id": VIRTUAL_TIME}, {"fairKey": 1})
            virtual_time = document["fairKey"] if document else 0.0
            _virtual_times[self._name] = (time.monotonic(), virtual_time)
        return virtual_time

    async def advance(self, fair_key: float) -> None:
        """Move the virtual time forward to a key that was claimed."""
        await self._users.update_one({"_id": VIRTUAL_TIME}, {"$max": {"fairKey": fair_key}}, upsert=True)

    async def keys(self, user_id: str, count: int) -> Ticket:
        """Reserve `count` keys for a user without asking the limits (children, requeues)."""
        return await self._reserve(user_id, count, rate=0, cap=0)

    async def admit(self, user_id: str, count: int, *, rate: int, cap: int, whole: bool = False) -> Ticket:
        """Reserve up to `count` keys, as many as the user's submission rate and queue allow.

        Args:
            rate: Submissions a minute (a bucket of that size, refilled evenly); 0 = none.
            cap: Queued tasks of this user at most; 0 = none. The count is a hint that only grows; when it reaches the cap it is counted anew, so nobody
                is refused on hearsay.
            whole: All of them or none.
        """
        ticket = await self._reserve(user_id, count, rate=rate, cap=cap, whole=whole)
        if cap and ticket.granted < count and ticket.queued - ticket.granted + count > cap:
            queued = await self._tasks.count_documents(
                {"userId": user_id, "status": TaskStatus.QUEUED.value, "lane": SINGLE_LANE},
                limit=cap + 1,
                hint="user_created",
            )
            # What was granted a moment ago is not stored yet.
            await self._users.update_one({"_id": user_id}, {"$set": {"queued": queued + ticket.granted}})
            if queued + count <= cap or (not whole and queued + ticket.granted < cap):
                more = await self._reserve(user_id, count - ticket.granted, rate=rate, cap=cap, whole=whole)
                first = ticket.fair_key if ticket.granted else more.fair_key
                ticket = Ticket(first, ticket.granted + more.granted, more.tokens, more.queued, more.at)
        return ticket

    async def _reserve(self, user_id: str, count: int, *, rate: int, cap: int, whole: bool = False) -> Ticket:
        virtual_time = await self.virtual_time()
        queued = {"$ifNull": ["$queued", 0]}
        room: list[Any] = [count]
        # A new task is due from now on, and now is for the server to say: a machine whose clock is ahead would make its tasks wait.
        first: Json = {"servedAt": "$$NOW", "fairKey": {"$max": [virtual_time, {"$ifNull": ["$fairKey", 0.0]}]}}
        if rate:
            elapsed = {"$divide": [{"$subtract": ["$$NOW", {"$ifNull": ["$refilledAt", "$$NOW"]}]}, 60_000.0 / rate]}
            first |= {"tokens": {"$min": [float(rate), {"$add": [{"$ifNull": ["$tokens", float(rate)]}, elapsed]}]}, "refilledAt": "$$NOW"}
            room.append({"$toInt": {"$floor": "$tokens"}})
        if cap:
            room.append({"$subtract": [cap, queued]})
        granted: Any = {"$max": [0, {"$min": room}]}
        if whole:
            granted = {"$cond": [{"$gte": [granted, count]}, count, 0]}
        last: Json = {"fairKey": {"$add": ["$fairKey", "$granted"]}}
        if rate:
            last["tokens"] = {"$subtract": ["$tokens", "$granted"]}
        if cap:
            last["queued"] = {"$add": [queued, "$granted"]}
        stages: list[Json] = [{"$set": first}, {"$set": {"granted": granted}}, {"$set": last}]
        try:
            user = await self._users.find_one_and_update({"_id": user_id}, stages, upsert=True, return_document=ReturnDocument.AFTER)
        except DuplicateKeyError:
            # Two first submissions of one user at once: the second finds the document now.
            user = await self._users.find_one_and_update({"_id": user_id}, stages, return_document=ReturnDocument.AFTER)
        if user is None:
            raise RuntimeError(f"task_users has lost {user_id}")
        given = int(user["granted"])
        return Ticket(user["fairKey"] - max(given - 1, 0), given, user.get("tokens") or 0.0, user.get("queued") or 0, user["servedAt"])
