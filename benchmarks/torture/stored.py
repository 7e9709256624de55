"""The real side of the state machine: the shipped operations on MongoDB, each as one plain call, and the comparison with the model."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from pymongo.errors import DuplicateKeyError

from ainoval import mongo
from benchmarks.torture.model import Issued, Model, Task
from benchmarks.torture.work.executables import Work, WorkParameters
from benchmarks.torture.work.ledger import LEDGER
from tasks_app import families, lifecycle, maintenance, operations
from tasks_app.conf import task_settings
from tasks_app.documents import TASKS
from tasks_app.errors import InvalidTransition, RetryLater
from tasks_app.executable import ChildTask
from tasks_app.worker.claims import Claimer
from tasks_app.worker.limits import Limits, count_live

Json = dict[str, Any]
T = TypeVar("T")

LEASE_SECONDS = 3_600.0
SLOTS = 100


class Stored:
    """One database and one event loop, for all sequences."""

    _shared: "Stored | None" = None

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._documents: dict[str, Json] = {}  # of parents, as their claims returned them

    @classmethod
    def shared(cls) -> Self:
        """Return the one of this process."""
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared  # type: ignore[return-value]

    @classmethod
    def close(cls) -> None:
        """Disconnect."""
        if cls._shared is not None:
            cls._shared._run(mongo.close())
            cls._shared._loop.close()
            cls._shared = None

    @staticmethod
    def now() -> datetime:
        """Return the time as it is stored."""
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _db(self) -> Any:
        return mongo.database()

    @property
    def db(self) -> Any:
        """The loop's database."""
        return self._run(self._db())

    def execute(self, transition: lifecycle.Transition) -> int:
        """Execute one transition; return how many tasks matched."""
        return self._run(lifecycle.execute(self.db, transition))

    def read(self, task_id: str) -> Json:
        """Return a task."""
        found: Json = self._run(self.db[TASKS].find_one({"_id": task_id}))
        return found

    # --- operations ---

    def submit(self, user: str, children: int) -> str:
        """Submit work, or a family."""
        task_type, parameters = ("TORTURE_FAMILY", {"children": children}) if children else ("TORTURE_WORK", {})
        return self._run(operations.submit(user, task_type, parameters)).task_id

    def claim(self, task_id: str, owner: str, token: str) -> bool:
        """Claim one task."""
        won = self.execute(lifecycle.claim([task_id], owner=owner, token=token, lease_seconds=LEASE_SECONDS)) == 1
        if won:
            self._documents[token + task_id] = self.read(task_id)
        return won

    def claim_group(self, owner: str) -> tuple[str, set[str]]:
        """Claim what is due, as a worker does; return the token and what it may begin."""
        claimed = self._run(Claimer(self.db, owner, Limits(0, 0, {}, {}), task_settings()).claim(SLOTS))
        self._documents |= {claimed.token + task["_id"]: task for task in claimed.tasks}
        token = claimed.token
        # The settings' lease is as good as any; the sequences say when it runs out.
        return token, {task["_id"] for task in claimed.tasks}

    def renew(self, owner: str, tokens: list[str]) -> None:
        """Renew by owner and tokens."""
        self.execute(lifecycle.renew(owner, tokens, lease_seconds=LEASE_SECONDS))

    def expire(self, owner: str) -> None:
        """Let the time of a worker's leases pass."""
        past = self.now() - timedelta(seconds=60)
        self._run(self.db[TASKS].update_many({"lease.owner": owner}, {"$set": {"lease.expiresAt": past}}))

    def recover_worker(self, owner: str) -> int:
        """What a sentinel's new worker does first."""
        return self._run(maintenance.recover_worker(self.db, owner))

    def recover_lost(self) -> int:
        """What every worker does each second."""
        return self._run(maintenance.recover_lost(self.db))

    def effect(self, task_id: str) -> None:
        """Write the task's line, once."""
        try:
            self._run(self.db[LEDGER].insert_one({"task": task_id, "step": 0}))
        except DuplicateKeyError:
            pass

    def plant(self, issued: Issued, keys: list[str]) -> bool:
        """Plant as the attempt that won this claim does; return whether it may."""
        children = [ChildTask(key, Work.task_type, WorkParameters()) for key in keys]

        async def plant() -> None:
            await families.plant(mongo.database(), self._documents[issued.token + issued.task], children, operations.services())

        try:
            self._run(plant())
        except RetryLater:
            return False
        return True

    def roll_up(self) -> int:
        """Bring parents up to date."""
        return self._run(families.roll_up(self.db))

    def cancel_orphans(self) -> None:
        """Cancel the children of ended parents."""
        self._run(families.cancel_children_of_ended_parents(self.db))

    def wait_over(self, task_id: str) -> None:
        """Let a task's delay pass."""
        past = self.now() - timedelta(seconds=60)
        self._run(self.db[TASKS].update_one({"_id": task_id}, {"$set": {"availableAt": past}}))

    def cancel(self, task_id: str) -> bool:
        """Return whether it is accepted."""
        return self._accepted(operations.cancel(task_id, user_id=None))

    def requeue(self, task_id: str) -> bool:
        """Return whether it is accepted."""
        return self._accepted(operations.requeue(task_id, user_id=None))

    def _accepted(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            self._run(work)
        except InvalidTransition:
            return False
        return True

    # --- comparison ---

    def compare(self, model: Model) -> None:
        """Assert that every task is what the model says, and that the users' leases are counted right."""
        found = {task["_id"]: task for task in self._run(self.db[TASKS].find({}).to_list(None))}
        assert found.keys() == model.tasks.keys()
        for task_id, task in model.tasks.items():
            assert _seen(found[task_id]) == _expected(task), task_id
        assert dict(self._run(count_live(self.db)).users) == model.live()
        lines = self._run(self.db[LEDGER].count_documents({"task": {"$in": list(found)}}))
        assert lines == len(model.ledger)

    def clear(self) -> None:
        """Forget all tasks."""
        self._run(self.db[TASKS].delete_many({}))
        self._run(self.db[LEDGER].delete_many({}))
        self._documents.clear()


def _seen(task: Json) -> Json:
    ended = task["completedAt"] is not None
    return {
        "status": task["status"],
        "attempt": task["attempt"],
        "losses": task["crashCount"],
        "token": (task.get("lease") or {}).get("token"),
        "owner": (task.get("lease") or {}).get("owner"),
        "generation": task["generation"],
        "awaiting": (task.get("children") or {}).get("total"),
        "entries": [(entry["token"], entry["outcome"]) for entry in task["attempts"]],
        "ended": ended,
        "applied": task.get("appliedAt") is not None,
        "counts": _counts(task),
    }


def _counts(task: Json) -> Json | None:
    result = task.get("result") or {}
    return {status: number for status, number in result["byStatus"].items() if number} if "byStatus" in result else None


def _expected(task: Task) -> Json:
    return {
        "status": task.status.value,
        "attempt": task.attempt,
        "losses": task.losses,
        "token": task.token,
        "owner": task.owner,
        "generation": task.generation,
        "awaiting": task.awaiting,
        "entries": task.entries,
        "ended": task.status.is_terminal,
        "applied": task.applied,
        "counts": task.counts,
    }
