"""Keeping the leases of a worker: renewal, loss, requests for cancellation, and what was claimed without the worker's knowledge."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from ainoval.logs import get_logger
from tasks_app import lifecycle
from tasks_app.conf import CANCEL_POLL_SECONDS, TaskSettings
from tasks_app.documents import LEASED_STATUS, TASKS
from tasks_app.states import TaskStatus
from tasks_app.worker.clock import elapsed
from tasks_app.worker.ticks import tick

if TYPE_CHECKING:
    from tasks_app.worker.attempt import Attempt

Json = dict[str, Any]

AWAY_RETRY_SECONDS = 0.5

log = get_logger(__name__)


class LeaseKeeper:
    """Renews the leases of the attempts in `attempts`, all together, each third of a lease."""

    def __init__(
        self,
        db: AsyncDatabase[Json],
        owner: str,
        settings: TaskSettings,
        attempts: "dict[str, Attempt]",
        unanswered: set[str],
    ) -> None:
        self._db = db
        self._tasks = db[TASKS]
        self._owner = owner
        self._settings = settings
        self._attempts = attempts
        self._unanswered = unanswered  # tokens of claims whose reply was lost
        self._renewed = asyncio.Event()
        self._contact_since = self._renewed_at = elapsed()
        self._missed = False

    # --- trust ---

    def distrusts(self, attempt: "Attempt") -> bool:
        """Whether the lease may have run out, by this process's own clock: nothing that matters may begin then."""
        return attempt.stop_reason is None and not attempt.ending and elapsed() - attempt.trusted_from > self._settings.trust_seconds

    async def renewed(self) -> None:
        """Wait for the next renewal."""
        await self._renewed.wait()

    def lost_contact(self) -> None:
        """Note that MongoDB could not be reached."""
        self._missed = True

    @property
    def may_sweep(self) -> bool:
        """Whether contact was unbroken for a renewal interval: after an outage every living worker renews before anybody recovers anything.

        A worker that stood still (its loop was blocked, its machine slept) was without contact too, and what has run out may be its own.
        """
        return not self._missed and not self._is_late and elapsed() - self._contact_since >= self._settings.renewal_seconds

    @property
    def _is_late(self) -> bool:
        return elapsed() - self._renewed_at > 2 * self._settings.renewal_seconds

    # --- loops ---

    async def run(self, stop_lost: "Callable[[Attempt], None]", stop_cancelled: "Callable[[Attempt], None]") -> None:
        """Renew until cancelled; tell of leases that were lost and of attempts that shall be cancelled."""
        next_renewal = elapsed() + self._settings.renewal_seconds
        while True:
            await tick(CANCEL_POLL_SECONDS)
            try:
                if elapsed() >= next_renewal or self._missed:
                    next_renewal = elapsed() + self._settings.renewal_seconds
                    await self.renew(stop_lost, stop_cancelled)
                elif self._attempts:
                    await self._poll_cancellations(stop_cancelled)
            except mongo.UNAVAILABLE as exc:
                self.lost_contact()
                log.warning("mongodb_away", worker=self._owner, error=type(exc).__name__)
                await asyncio.sleep(AWAY_RETRY_SECONDS)

    async def renew(self, stop_lost: "Callable[[Attempt], None]", stop_cancelled: "Callable[[Attempt], None]") -> None:
        """Renew all leases by their tokens, also those that ran out; what is missing afterwards belongs to somebody else."""
        began = elapsed()
        was_away = self._missed or self._is_late
        mine = dict(self._attempts)
        tokens = sorted({attempt.token for attempt in mine.values()})
        if tokens:
            await lifecycle.execute(self._db, lifecycle.renew(self._owner, tokens, lease_seconds=self._settings.lease_seconds))
        held = await self._held(mine)
        self._renewed_at = began  # a standstill since then may have outlasted what was renewed
        if was_away:
            self._missed = False
            self._contact_since = elapsed()
        for task_id, attempt in mine.items():
            lease = held.get(task_id)
            if lease is None or lease["lease"]["token"] != attempt.token:
                if not attempt.ending:  # it may have ended while we asked
                    stop_lost(attempt)
                continue
            attempt.trusted_from = max(attempt.trusted_from, began)
            if lease["status"] == TaskStatus.CANCELLING.value:
                stop_cancelled(attempt)
        await self._return_strays(held)
        self._renewed.set()
        self._renewed = asyncio.Event()

    async def _held(self, mine: "dict[str, Attempt]") -> dict[str, Json]:
        """Return this worker's leases as they are stored, by task."""
        leased: Json = {"status": LEASED_STATUS, "lease.owner": self._owner}
        fields = {"lease.token": 1, "status": 1, "startedAt": 1}
        held = {doc["_id"]: doc async for doc in self._tasks.find(leased, fields, hint="active")}
        # A task whose cancellation is asked for during the scan moves in the index to where the scan has been, and is not seen: it is looked for by its id.
        missing = [task_id for task_id, attempt in mine.items() if task_id not in held and not attempt.ending]
        if missing:
            held |= {doc["_id"]: doc async for doc in self._tasks.find({"_id": {"$in": missing}, **leased}, fields, hint="_id_")}
        return held

    async def _poll_cancellations(self, stop_cancelled: "Callable[[Attempt], None]") -> None:
        wanted = {"status": TaskStatus.CANCELLING.value, "lease.owner": self._owner}
        async for doc in self._tasks.find(wanted, {"lease.token": 1}, hint="active"):
            attempt = self._attempts.get(doc["_id"])
            if attempt is not None and attempt.token == doc["lease"]["token"]:
                stop_cancelled(attempt)

    # --- strays ---

    async def _return_strays(self, held: dict[str, Json]) -> None:
        """Hand back what a claim won although its reply was lost, sooner than its lease runs out."""
        strays: dict[str, list[str]] = {}
        for task_id, doc in held.items():
            if task_id not in self._attempts and doc["lease"]["token"] in self._unanswered:
                strays.setdefault(doc["lease"]["token"], []).append(task_id)
        for token, task_ids in strays.items():
            log.warning("stray_leases_returned", worker=self._owner, count=len(task_ids))
            await lifecycle.execute(self._db, lifecycle.hand_back(task_ids, token, delay_seconds=0.0))
            await lifecycle.execute(self._db, lifecycle.cancel_unrun(task_ids, token, retention_seconds=self._settings.retention_seconds))
