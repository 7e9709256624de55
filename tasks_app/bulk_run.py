"""Doing a staff action on all tasks that match: a django-q2 package (`async_task`), executed by the package threads of a worker, a slice of time at a go.

The selection finds what is left by itself: a task that was changed does not match any more. So an action that was cut off anywhere is simply done again.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from django_q.tasks import async_task
from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from ainoval.errors import AinovalError
from ainoval.ids import new_id
from ainoval.logs import get_logger
from tasks_app import bulk, bulk_actions
from tasks_app.documents import TASKS, BulkOutcome
from tasks_app.selection import Selection

Json = dict[str, Any]

# After so long the rest is handed out as a new package, so that other packages get their turn; far below the time after which the broker takes one for lost.
SLICE_SECONDS: Final = 20.0
AWAY_SECONDS: Final = 1.0
MAX_AWAY_SECONDS: Final = 120.0
MAX_MARKS: Final = 20

_DO: Final[dict[str, Callable[[AsyncDatabase[Json], Selection, bulk.Witness], Coroutine[Any, Any, Any]]]] = {
    "cancel": bulk.cancel,
    "requeue": bulk.requeue,
    "delete": bulk.purge,
}

log = get_logger(__name__)


def hand_out(action_id: str) -> None:
    """Give an action to whichever worker is free. Twice does no harm."""
    async_task("tasks_app.bulk_run.run", action_id, task_name=f"bulk-action-{action_id}")


def run(action_id: str) -> str:
    """Do an action, or a slice of it; return what came of it, for django-q2's record."""
    result = mongo.run(_run(action_id))
    if result == "to be continued":
        hand_out(action_id)
    return result


class _Stopped(Exception):
    """Somebody asked for the action's end."""


class _Later(Exception):
    """The slice is over."""


class _LeaseLost(Exception):
    """Another worker has the action."""


class _Witness(bulk.Witness):
    """Marks the tasks of each group before they are changed, and records the group afterwards."""

    def __init__(self, db: AsyncDatabase[Json], action_id: str, token: str) -> None:
        self._db = db
        self._action_id = action_id
        self._token = token
        self._until = time.monotonic() + SLICE_SECONDS

    async def before(self, task_ids: list[str]) -> None:
        # The task's own audit trail: which actions came to it.
        unmarked = {"_id": {"$in": task_ids}, "bulkActions": {"$ne": self._action_id}}
        await self._db[TASKS].update_many(unmarked, {"$push": {"bulkActions": {"$each": [self._action_id], "$slice": -MAX_MARKS}}}, hint="_id_")

    async def after(self, seen: int, changed: int) -> None:
        now = await bulk_actions.advance(self._db, self._action_id, self._token, seen=seen, changed=changed)
        if now is None:
            raise _LeaseLost
        if now.get("stopRequestedAt"):
            raise _Stopped
        if time.monotonic() > self._until:
            raise _Later


async def _run(action_id: str) -> str:
    db, token = mongo.database(), new_id()
    give_up = time.monotonic() + MAX_AWAY_SECONDS
    while True:
        try:
            return await _slice(db, action_id, token)
        except bulk_actions.BulkActionNotFound:
            return "gone"
        except mongo.UNAVAILABLE as exc:
            if time.monotonic() > give_up:
                raise
            log.warning("bulk_action_without_mongodb", bulk_action=action_id, error=type(exc).__name__)
            await asyncio.sleep(AWAY_SECONDS)


async def _slice(db: AsyncDatabase[Json], action_id: str, token: str) -> str:
    document = await _claim(db, action_id, token)
    if document is None:
        return "ended, or being done by another worker"
    if document.get("stopRequestedAt"):
        await bulk_actions.end(db, action_id, token, BulkOutcome.STOPPED)
        return "stopped"
    try:
        await _DO[document["action"]](db, bulk_actions.selection_of(document), _Witness(db, action_id, token))
    except _Later:
        await bulk_actions.let_go(db, action_id, token)
        return "to be continued"
    except _LeaseLost:
        return "taken over by another worker"
    except _Stopped:
        await bulk_actions.end(db, action_id, token, BulkOutcome.STOPPED)
        return "stopped"
    except mongo.UNAVAILABLE:
        raise
    except Exception as exc:
        log.exception("bulk_action_failed", bulk_action=action_id)
        await bulk_actions.end(db, action_id, token, BulkOutcome.FAILED, error=exc.code if isinstance(exc, AinovalError) else type(exc).__name__)
        return "failed"
    await bulk_actions.end(db, action_id, token, BulkOutcome.DONE)
    log.info("bulk_action_done", bulk_action=action_id)
    return "done"


async def _claim(db: AsyncDatabase[Json], action_id: str, token: str) -> Json | None:
    """Take the action; wait for the end of a lease whose worker may have died."""
    deadline = time.monotonic() + bulk_actions.LEASE_SECONDS + 1.0
    while (document := await bulk_actions.claim(db, action_id, token)) is None:
        there = await bulk_actions.get(db, action_id)
        if there["outcome"] is not None or time.monotonic() > deadline:
            return None
        await asyncio.sleep(0.5)
    return document
