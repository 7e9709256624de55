"""What a transition is, how one is executed alone, and the conditions and times that many of them share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

import bson
from pymongo import UpdateMany, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from tasks_app import states
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus

Json = dict[str, Any]

S = TaskStatus
NO_PROGRESS: Json = {"percentage": 0, "message": None, "current": None, "total": None}


@dataclass(frozen=True, slots=True)
class Transition:
    """One conditional change.

    Attributes:
        name: As in `states.TRANSITIONS`, or the name of a fenced write that keeps the status (`progress`, `draft`, …).
        many: Whether it may change several tasks.
        task_id, token: Of a write by an attempt: the bulk that carries it is read back by them.
        size: About how many bytes it carries, where somebody has counted; 0 when nobody has.
    """

    name: str
    filter: Json
    update: Json | list[Json]
    many: bool = False
    task_id: str = ""
    token: str = ""
    size: int = 0

    def operation(self) -> UpdateOne | UpdateMany:
        """Return the transition as one operation of a bulk write."""
        return UpdateMany(self.filter, self.update) if self.many else UpdateOne(self.filter, self.update)


def sized(transition: Transition) -> Transition:
    """Return a transition that knows its size.

    Raises:
        BSONError, OverflowError, ValueError, TypeError: It carries what MongoDB cannot hold.
    """
    return transition if transition.size else replace(transition, size=len(bson.encode({"": transition.update})))


async def execute(db: AsyncDatabase[Json], transition: Transition) -> int:
    """Execute one transition alone; return how many tasks it changed."""
    tasks = db[TASKS]
    update = tasks.update_many if transition.many else tasks.update_one
    return (await update(transition.filter, transition.update)).matched_count


async def execute_on_first(db: AsyncDatabase[Json], transition: Transition, fields: Json, order: Mapping[str, int], hint: str) -> Json | None:
    """Execute one transition on the first task that it matches in an order; return these fields of it afterwards, or None.

    Not repeated by the driver: so that it could be, MongoDB would store a copy of each task that it returns. Whoever loses the reply must find out what became
    of it.

    Raises:
        As `mongo.write_once`.
    """
    first = {"query": transition.filter, "sort": dict(order), "hint": hint}
    command = {"findAndModify": TASKS, **first, "update": transition.update, "new": True, "fields": fields}
    found: Json | None = (await mongo.write_once(db, command))["value"]
    return found


@cache
def from_states(*names: str) -> Json:
    """Return the condition on `status` that transitions of these names state."""
    statuses = sorted({status.value for name in names for status in states.starts_from(name)})
    return {"$in": statuses} if len(statuses) > 1 else statuses[0]  # type: ignore[return-value]


def held_by(task_id: str, token: str, status: Any) -> Json:
    """Return the fence of an attempt's write: the task is in that state, under that attempt's token."""
    return {"_id": task_id, "status": status, "lease.token": token}


def _milliseconds(duration: timedelta | float) -> int:
    return round((duration.total_seconds() if isinstance(duration, timedelta) else duration) * 1000)


def after_now(duration: timedelta | float) -> Json:
    """Return the expression for a moment after (before, if negative) the server's now; seconds."""
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": _milliseconds(duration)}}


def expiry(retention_seconds: float) -> Json:
    """Return the expression for the end of an ended task's retention."""
    # A child is kept as long as its parent: the parent's end gives it its `expireAt`.
    return {"$cond": [{"$eq": [{"$ifNull": ["$parentId", None]}, None]}, after_now(retention_seconds), "$$REMOVE"]}
