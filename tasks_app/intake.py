"""Storing what is submitted: submissions that arrive together are admitted and inserted together.

A journaled majority insert costs a wait for the disk, and one insert of fifty tasks costs hardly more than one of one. So while a group is on its way, what
arrives meanwhile gathers to the next one: a single submission waits for nobody, and a crowd shares its waits. Each is acknowledged only when its own task
is stored.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError, WTimeoutError

from ainoval import mongo
from tasks_app.conf import TaskSettings, task_settings
from tasks_app.documents import TASKS
from tasks_app.errors import QueueFull, RateLimited
from tasks_app.fairness import FairShares, Ticket

Json = dict[str, Any]
MakeTask = Callable[[float, datetime], Json]

MAX_GROUP = 500
AT_ONCE = 2  # groups of one call: what MongoDB does for one of them it does on one processor
QUEUE_FULL_RETRY_SECONDS = 30.0


@dataclass(slots=True)
class _Arrival:
    user_id: str
    make: MakeTask
    stored: asyncio.Future[None]


class Intake:
    """Takes in the submissions of one event loop."""

    def __init__(self, db: AsyncDatabase[Json]) -> None:
        self.db = db
        self._tasks = db[TASKS]
        self._shares = FairShares(db)
        self._arrivals: list[_Arrival] = []
        self._working: asyncio.Task[None] | None = None

    async def store(self, user_id: str, make: MakeTask) -> None:
        """Store one task.

        Args:
            user_id: Whose limits are asked.
            make: Makes the document when its fair-share key and the server's time are known.

        Raises:
            RateLimited, QueueFull: Nothing was stored.
            DuplicateKeyError: There is a task with this id.
        """
        arrival = _Arrival(user_id, make, asyncio.get_running_loop().create_future())
        self._arrivals.append(arrival)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        await arrival.stored

    async def store_all(self, user_id: str, makes: list[MakeTask]) -> None:
        """Store many tasks of one user: all of them, or none when a limit forbids them.

        Raises:
            RateLimited, QueueFull: Nothing was stored.
            Driver errors: Some may have been stored.
        """
        limits = task_settings()
        ticket = await self._shares.admit(user_id, len(makes), rate=limits.submit_rate, cap=limits.max_queued_per_user, whole=True)
        if not ticket.granted:
            raise refusal(ticket, limits, len(makes))
        documents = [make(ticket.fair_key + place, ticket.at) for place, make in enumerate(makes)]
        for start in range(0, len(documents), AT_ONCE * MAX_GROUP):
            groups = [documents[place : place + MAX_GROUP] for place in range(start, min(start + AT_ONCE * MAX_GROUP, len(documents)), MAX_GROUP)]
            await asyncio.gather(*(self._tasks.insert_many(group, ordered=False) for group in groups))

    async def _work(self) -> None:
        while self._arrivals:
            group, self._arrivals = self._arrivals[:MAX_GROUP], self._arrivals[MAX_GROUP:]
            try:
                await self._take_in(group)
            except Exception as exc:
                # Every submission hears of it; it may have been executed, as with any call that was cut off.
                for arrival in group:
                    _tell(arrival, exc)

    async def _take_in(self, group: list[_Arrival]) -> None:
        by_user: dict[str, list[_Arrival]] = {}
        for arrival in group:
            by_user.setdefault(arrival.user_id, []).append(arrival)
        if len(by_user) == 1:  # mostly: then no task of its own is needed
            [(user_id, arrivals)] = by_user.items()
            admitted = await self._admit(user_id, arrivals)
        else:
            each = await asyncio.gather(*(self._admit(user_id, arrivals) for user_id, arrivals in by_user.items()))
            admitted = [one for of_user in each for one in of_user]
        if not admitted:
            return
        refused = await self._insert([document for _, document in admitted])
        for place, (arrival, _) in enumerate(admitted):
            _tell(arrival, refused.get(place))

    async def _insert(self, documents: list[Json]) -> Mapping[int, Exception]:
        """Insert a group; return what became of those that were not stored, by their place in it."""
        if len(documents) == 1:
            try:
                await self._insert_one(documents[0])
            except DuplicateKeyError as exc:
                return {0: exc}
            return {}
        try:
            await self._tasks.insert_many(documents, ordered=False)
        except BulkWriteError as exc:
            return _refused(exc, len(documents))
        return {}

    async def _insert_one(self, document: Json) -> None:
        """Insert by a command that costs less, as it is not repeated, and if need be again as the driver does it: what is there already is a duplicate then."""
        try:
            await mongo.write_once(self.db, {"insert": TASKS, "documents": [document]})
        except PyMongoError as exc:
            if not mongo.may_be_repeated(exc):
                raise
            await self._tasks.insert_one(document)

    async def _admit(self, user_id: str, arrivals: list[_Arrival]) -> list[tuple[_Arrival, Json]]:
        limits = task_settings()
        ticket = await self._shares.draw(user_id, len(arrivals), rate=limits.submit_rate, cap=limits.max_queued_per_user)
        for arrival in arrivals[ticket.granted :]:
            _tell(arrival, refusal(ticket, limits, 1))
        return [(arrival, arrival.make(ticket.fair_key + place, ticket.at)) for place, arrival in enumerate(arrivals[: ticket.granted])]


def refusal(ticket: Ticket, limits: TaskSettings, count: int) -> QueueFull | RateLimited:
    """Return what tells a user which limit forbids `count` more tasks."""
    cap, rate = limits.max_queued_per_user, limits.submit_rate
    if cap and ticket.queued + count > cap:
        return QueueFull(f"You have {ticket.queued:,} tasks waiting; at most {cap:,} may.", retry_after=QUEUE_FULL_RETRY_SECONDS)
    wait = (count - ticket.tokens) * 60.0 / rate
    return RateLimited(f"More than {rate:,} submissions in a minute.", retry_after=max(wait, 1.0))


def _refused(exc: BulkWriteError, count: int) -> dict[int, Exception]:
    """Return what became of those that were not stored, by their place in the group."""
    details: Json = dict(exc.details or {})
    if details.get("writeConcernErrors"):
        # Not acknowledged by a majority: none of them may be called accepted.
        return dict.fromkeys(range(count), WTimeoutError("the insert was not acknowledged by a majority", details=details))
    errors: list[Json] = details.get("writeErrors", [])
    return {error["index"]: mongo.write_error(error) for error in errors}


def _tell(arrival: _Arrival, error: Exception | None) -> None:
    if arrival.stored.done():  # who submitted it waits no longer
        return
    if error is None:
        arrival.stored.set_result(None)
    else:
        arrival.stored.set_exception(error)


_intakes: WeakKeyDictionary[asyncio.AbstractEventLoop, Intake] = WeakKeyDictionary()


def intake(db: AsyncDatabase[Json]) -> Intake:
    """Return the running loop's intake into this database."""
    loop = asyncio.get_running_loop()
    found = _intakes.get(loop)
    if found is None or found.db is not db:
        found = _intakes[loop] = Intake(db)
    return found
