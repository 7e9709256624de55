"""A staff action on all tasks that match a filter: who asked for what, how far it is, and who works on it. One small document each, in `bulk_actions`.

The work is done by `bulk_run`, in a worker. Its right to do it is a lease with a token, as a task's: two workers may be given the same action, and only one
of them does it; when that one dies, the next goes on from what is left.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from ainoval import moments
from ainoval.ids import new_id
from ainoval.logs import get_logger
from tasks_app.documents import BULK_ACTIONS, BulkOutcome
from tasks_app.errors import TaskError
from tasks_app.lifecycle.transition import after_now
from tasks_app.search import Position
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus

Json = dict[str, Any]

LEASE_SECONDS: Final = 10.0
KEPT: Final = timedelta(days=365)
# How long an action may be without a worker before somebody who looks at it hands it out again.
NUDGE_SECONDS: Final = 5.0
# Nobody holds a lease on it.
_IDLE: Final[Json] = {"$lt": [{"$ifNull": ["$lease.expiresAt", datetime(1970, 1, 1, tzinfo=UTC)]}, "$$NOW"]}

log = get_logger(__name__)


class BulkActionNotFound(TaskError):
    """There is no such action."""

    code = "bulk_action_not_found"


class AskedAlready(TaskError):
    """There is such an action: it was asked for by the same form."""

    code = "asked_already"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for.

    Attributes:
        action: `cancel`, `requeue` or `delete`.
        user_id, username: Of the member of staff.
        filter, query: The selection in the words of the search box, and as the list's address.
        expected: How many tasks it was to be when it was confirmed; `expected_exact` False when they could not be counted in time.
    """

    action: str
    user_id: str
    username: str
    selection: Selection
    filter: str
    query: str
    reason: str
    expected: int
    expected_exact: bool


async def create(db: AsyncDatabase[Json], wanted: Wanted, *, action_id: str | None = None) -> Json:
    """Store an action that nobody works on yet.

    Args:
        action_id: One that is derived from what was asked for, so that the same asked twice is one action; None for an id of its own.

    Raises:
        AskedAlready: There is an action with this id.
    """
    now = moments.now()
    document: Json = {
        "_id": action_id or new_id(),
        "action": wanted.action,
        "userId": wanted.user_id,
        "username": wanted.username,
        "selection": _stored(wanted.selection),
        "filter": wanted.filter,
        "query": wanted.query,
        "reason": wanted.reason,
        "expected": wanted.expected,
        "expectedExact": wanted.expected_exact,
        "seen": 0,
        "changed": 0,
        "createdAt": now,
        "startedAt": None,
        "updatedAt": now,
        "endedAt": None,
        "stopRequestedAt": None,
        "handedOutAt": now,
        "outcome": None,
    }
    try:
        await db[BULK_ACTIONS].insert_one(document)
    except DuplicateKeyError:
        raise AskedAlready from None
    log.info("bulk_action_asked", bulk_action=document["_id"], action=wanted.action, staff_id=wanted.user_id, expected=wanted.expected)
    return document


async def get(db: AsyncDatabase[Json], action_id: str) -> Json:
    """Return an action.

    Raises:
        BulkActionNotFound: There is none with this id.
    """
    document = await db[BULK_ACTIONS].find_one({"_id": action_id})
    if document is None:
        raise BulkActionNotFound
    return document


async def newest(db: AsyncDatabase[Json], *, limit: int, before: Position | None = None) -> list[Json]:
    """Return the newest actions; with a place, the newest before it."""
    return await db[BULK_ACTIONS].find(before.older() if before else {}).sort([("createdAt", -1), ("_id", -1)]).limit(limit).to_list(None)


async def by_ids(db: AsyncDatabase[Json], action_ids: list[str]) -> list[Json]:
    """Return these actions, as far as they are still kept."""
    return await db[BULK_ACTIONS].find({"_id": {"$in": action_ids}}).to_list(None) if action_ids else []


async def request_stop(db: AsyncDatabase[Json], action_id: str, *, by: str) -> bool:
    """Ask that an action stops after its present group; one that nobody works on has stopped. Return whether it had not ended before."""
    asked = {"stopRequestedAt": {"$ifNull": ["$stopRequestedAt", "$$NOW"]}, "stoppedBy": {"$ifNull": ["$stoppedBy", {"$literal": by}]}}
    ended = {
        "outcome": {"$cond": [_IDLE, BulkOutcome.STOPPED.value, "$outcome"]},
        "endedAt": {"$cond": [_IDLE, "$$NOW", "$endedAt"]},
        "expireAt": {"$cond": [_IDLE, after_now(KEPT), "$$REMOVE"]},
    }
    changed = await db[BULK_ACTIONS].update_one({"_id": action_id, "outcome": None}, [{"$set": asked | ended | {"updatedAt": "$$NOW"}}])
    return changed.matched_count == 1


async def needs_handing_out(db: AsyncDatabase[Json], action_id: str) -> bool:
    """Whether an action is without a worker, and nobody has handed it out lately. Of many who ask at once, one is told yes."""
    waited = {"$lt": ["$handedOutAt", after_now(-NUDGE_SECONDS)]}
    alone = {"_id": action_id, "outcome": None, "$expr": {"$and": [waited, _IDLE]}}
    return (await db[BULK_ACTIONS].update_one(alone, [{"$set": {"handedOutAt": "$$NOW"}}])).matched_count == 1


# --- for who does it ---


async def claim(db: AsyncDatabase[Json], action_id: str, token: str) -> Json | None:
    """Take an action that nobody works on, or that this token holds; None when it has ended or somebody does."""
    free = {"$or": [_IDLE, {"$eq": ["$lease.token", token]}]}
    return await db[BULK_ACTIONS].find_one_and_update(
        {"_id": action_id, "outcome": None, "$expr": free},
        [{"$set": {"lease": _lease(token), "startedAt": {"$ifNull": ["$startedAt", "$$NOW"]}, "updatedAt": "$$NOW"}}],
        return_document=ReturnDocument.AFTER,
    )


async def advance(db: AsyncDatabase[Json], action_id: str, token: str, *, seen: int, changed: int) -> Json | None:
    """Record a group that was done, and keep the lease; None when the lease is lost."""
    counts = {"seen": {"$add": ["$seen", seen]}, "changed": {"$add": ["$changed", changed]}}
    return await db[BULK_ACTIONS].find_one_and_update(
        {"_id": action_id, "outcome": None, "lease.token": token},
        [{"$set": counts | {"lease": _lease(token), "updatedAt": "$$NOW"}}],
        return_document=ReturnDocument.AFTER,
    )


async def end(db: AsyncDatabase[Json], action_id: str, token: str, outcome: BulkOutcome, *, error: str | None = None) -> bool:
    """Record how an action ended; return whether it was still this token's to end."""
    update: list[Json] = [
        {"$set": {"outcome": outcome.value, "error": error, "endedAt": "$$NOW", "updatedAt": "$$NOW", "expireAt": after_now(KEPT)}},
        {"$unset": "lease"},
    ]
    ended = await db[BULK_ACTIONS].update_one({"_id": action_id, "outcome": None, "lease.token": token}, update)
    return ended.matched_count == 1


async def let_go(db: AsyncDatabase[Json], action_id: str, token: str) -> None:
    """Give an unfinished action back."""
    await db[BULK_ACTIONS].update_one({"_id": action_id, "lease.token": token}, {"$unset": {"lease": ""}})


def selection_of(document: Mapping[str, Any]) -> Selection:
    """Return what an action is about."""
    stored = document["selection"]
    values: Json = {field.name: tuple(stored[field.name]) if isinstance(stored[field.name], list) else stored[field.name] for field in fields(Selection)}
    return Selection(**values | {"statuses": frozenset(TaskStatus(status) for status in stored["statuses"])})


def _stored(selection: Selection) -> Json:
    values = asdict(selection)
    return {name: sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _lease(token: str) -> Json:
    return {"token": token, "expiresAt": after_now(LEASE_SECONDS)}
