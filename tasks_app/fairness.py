"""Fair shares: users get the workers evenly, whatever each of them has queued; and the two limits that are checked at a submission.

Start-time fair queueing: a task's key is the larger of the system's virtual time and its user's last key, plus its cost; the smallest key is claimed
first. Somebody who submits one task while another has ten thousand queued waits for about one task of each user. Virtual time is the largest key
claimed so far, so that a user who was away cannot claim back the time.

All of it is one unjournaled update of `task_users/{userId}`: a hint. When it is lost, somebody is served a little early. Who submits one task after the
other is given a few keys ahead, so that not each submission costs this update.

Source: P. Goyal, H. M. Vin, H. Cheng, "Start-time Fair Queueing", SIGCOMM 1996, https://doi.org/10.1145/248157.248171
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, PyMongoError

from ainoval import mongo
from tasks_app.documents import SINGLE_LANE, TASKS, USERS
from tasks_app.states import TaskStatus

Json = dict[str, Any]

VIRTUAL_TIME = "*"  # no user's id: those are UUIDs
_VIRTUAL_TIME_AGE_SECONDS = 0.25
# A user's tasks may run in another order than they came to several server processes: by no more than this.
_AHEAD = 8
_AHEAD_SECONDS = 0.5
_MOST_STOCKS = 10_000


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was given: `granted` keys from `fair_key` on, one apart, and `ahead` more behind them; what the limits knew afterwards; and when it was, by the
    server's clock.
    """

    fair_key: float
    granted: int
    tokens: float
    queued: int
    at: datetime
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class _Stock:
    """What is left of a ticket: its keys ahead, and when it came by the monotonic clock."""

    ticket: Ticket
    came: float

    def draw(self, count: int, now: float) -> Ticket | None:
        """Return a ticket out of the stock; None when it does not hold so many, or is too old to be fair."""
        age, ticket = now - self.came, self.ticket
        if ticket.ahead < count or age > _AHEAD_SECONDS:
            return None
        return replace(ticket, fair_key=ticket.fair_key + ticket.granted, granted=count, ahead=ticket.ahead - count)

    def at(self, now: float) -> datetime:
        """Return the server's time now: rather a little behind it, as the answer's way is not counted."""
        return self.ticket.at + timedelta(seconds=now - self.came)


_virtual_times: dict[str, tuple[float, float]] = {}  # by database: when it was read, and what it was


class FairShares:
    """Keys for new tasks, through one database."""

    def __init__(self, db: AsyncDatabase[Json]) -> None:
        self._name = db.name
        self._users = db.get_collection(USERS, write_concern=mongo.HINT)
        self._tasks = db[TASKS]
        self._stocks: dict[str, _Stock] = {}
        self._refills: dict[str, asyncio.Task[None]] = {}

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

    async def draw(self, user_id: str, count: int, *, rate: int, cap: int) -> Ticket:
        """Reserve up to `count` keys as `admit` does, out of what the last ticket of this user left if that is enough; if not, that is given back.

        Whoever takes the last of a stock has the next one fetched meanwhile, so that in a row of submissions none waits for this update.
        """
        if (refill := self._refills.get(user_id)) is not None:
            await refill
        now = time.monotonic()
        stock = self._stocks.pop(user_id, None)
        if stock is not None and (ticket := stock.draw(count, now)):
            self._stocks[user_id] = replace(stock, ticket=ticket)
            if not ticket.ahead:
                self._refills[user_id] = asyncio.create_task(self._refill(user_id, rate, cap))
            return replace(ticket, at=stock.at(now))
        in_a_row = stock is not None and now - stock.came < 2 * _AHEAD_SECONDS  # at least for now
        back = stock.ticket.ahead if stock is not None else 0  # however old: a user is not refused for places that nobody used
        ticket = await self.admit(user_id, count, rate=rate, cap=cap, ahead=_AHEAD if in_a_row else 0, back=back)
        self._store(user_id, ticket)
        return ticket

    async def _refill(self, user_id: str, rate: int, cap: int) -> None:
        try:
            self._store(user_id, await self._reserve(user_id, 0, rate=rate, cap=cap, ahead=_AHEAD))
        except PyMongoError:
            pass  # whoever needs a key asks for it, and hears of this
        finally:
            self._refills.pop(user_id, None)

    def _store(self, user_id: str, ticket: Ticket) -> None:
        if len(self._stocks) >= _MOST_STOCKS:
            self._stocks.clear()  # hints, like all of this
        self._stocks[user_id] = _Stock(ticket, time.monotonic())

    async def admit(self, user_id: str, count: int, *, rate: int, cap: int, whole: bool = False, ahead: int = 0, back: int = 0) -> Ticket:
        """Reserve up to `count` keys, as many as the user's submission rate and queue allow.

        Args:
            rate: Submissions a minute (a bucket of that size, refilled evenly); 0 = none.
            cap: Queued tasks of this user at most; 0 = none. The count is a hint that only grows; when it reaches the cap it is counted anew, so nobody
                is refused on hearsay.
            whole: All of them or none.
            ahead: How many more are wanted if they leave the user half of what the limits allow.
            back: How many that were given ahead will not be used.
        """
        ticket = await self._reserve(user_id, count, rate=rate, cap=cap, whole=whole, ahead=ahead, back=back)
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

    async def _reserve(self, user_id: str, count: int, *, rate: int, cap: int, whole: bool = False, ahead: int = 0, back: int = 0) -> Ticket:
        virtual_time = await self.virtual_time()
        queued: Json = {"$max": [0, {"$subtract": [{"$ifNull": ["$queued", 0]}, back]}]}
        room: list[Any] = []
        # A new task is due from now on, and now is for the server to say: a machine whose clock is ahead would make its tasks wait.
        first: Json = {"servedAt": "$$NOW", "fairKey": {"$max": [virtual_time, {"$ifNull": ["$fairKey", 0.0]}]}}
        if rate:
            elapsed = {"$divide": [{"$subtract": ["$$NOW", {"$ifNull": ["$refilledAt", "$$NOW"]}]}, 60_000.0 / rate]}
            first |= {"tokens": {"$min": [float(rate), {"$add": [{"$ifNull": ["$tokens", float(rate)]}, elapsed, back]}]}, "refilledAt": "$$NOW"}
            room.append({"$toInt": {"$floor": "$tokens"}})
        if cap:
            room.append({"$subtract": [cap, queued]})
        granted: Any = {"$max": [0, {"$min": [count, *room]}]}
        if whole:
            granted = {"$cond": [{"$gte": [granted, count]}, count, 0]}
        more: Any = {"$max": [0, {"$min": [ahead, *({"$subtract": [{"$toInt": {"$divide": [limit, 2]}}, count]} for limit in room)]}]}
        given = {"$add": ["$granted", "$ahead"]}
        last: Json = {"fairKey": {"$add": ["$fairKey", given]}}
        if rate:
            last["tokens"] = {"$subtract": ["$tokens", given]}
        if cap:
            last["queued"] = {"$add": [queued, given]}
        stages: list[Json] = [{"$set": first}, {"$set": {"granted": granted, "ahead": more if ahead else 0}}, {"$set": last}]
        try:
            user = await self._users.find_one_and_update({"_id": user_id}, stages, upsert=True, return_document=ReturnDocument.AFTER)
        except DuplicateKeyError:
            # Two first submissions of one user at once: the second finds the document now.
            user = await self._users.find_one_and_update({"_id": user_id}, stages, return_document=ReturnDocument.AFTER)
        if user is None:
            raise RuntimeError(f"task_users has lost {user_id}")
        own, extra = int(user["granted"]), int(user["ahead"])
        first_key = user["fairKey"] - max(own + extra - 1, 0)
        return Ticket(first_key, own, user.get("tokens") or 0.0, user.get("queued") or 0, user["servedAt"], extra)
