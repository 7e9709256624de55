"""Tasks in the middle of their lives, the workers that hold them, and one task stuck for each reason to wait."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ainoval.development.seeding.batches import OF_CHILDREN, SIZES, Batch, Batches
from ainoval.development.seeding.library import Writer
from ainoval.development.seeding.lives import LIMITED, SCENE, SUMMARY, UNAVAILABLE, Lives, apply
from ainoval.development.seeding.plan import Plan
from ainoval.ids import derived_id
from tasks_app import lifecycle, registry
from tasks_app.lifecycle import AttemptRecord
from tasks_app.states import TaskStatus

Json = dict[str, Any]

CLUSTER: Final = "seeded"
WORKERS: Final = (("writers-1", 4_101), ("writers-1", 4_102), ("writers-2", 977))
SLOTS: Final = 200
HELD_FOR: Final = timedelta(days=30)  # nothing that looks at the database takes a seeded task for lost
UNKNOWN_TYPE: Final = "TRANSLATE_SCENE"

OF_THE_WHOLE_SYSTEM: Final = ("system_limit", "no_worker")  # whatever is queued waits for these: there is no task of their own


def stuck_id(reason: str) -> str:
    """Return the id of the task that is stuck for a reason."""
    return derived_id("seed", "queued" if reason in OF_THE_WHOLE_SYSTEM else reason)


def owner(number: int) -> str:
    """Return the name in the leases of one of the seeded workers."""
    return f"{WORKERS[number][0]}:{CLUSTER}:{number:08x}"


@dataclass(slots=True)
class Live:
    """Makes what has not ended.

    Attributes:
        held: How many tasks each worker holds.
        by_type: How many tasks of each type hold a lease.
    """

    lives: Lives
    batches: Batches
    plan: Plan
    writers: Sequence[Writer]
    per_user: int
    held: list[int] = field(default_factory=lambda: [0] * len(WORKERS))
    by_type: dict[str, int] = field(default_factory=dict)

    def tasks(self) -> Iterator[Json]:
        """Yield the unfinished tasks."""
        yield from self._at_the_users_limit()
        yield from self._stuck()
        shares = self.plan.shares()
        for _ in range(self.plan.queued):
            yield self._waiting(self._writer(shares), within=timedelta(hours=3))
        for number in range(self.plan.retrying):
            yield self._retrying(self._writer(shares), limited=number % 3 == 0)
        others = self.writers[1:]
        for number in range(self.plan.running):
            yield self._running(others[number % len(others)], ago=timedelta(seconds=self.lives.rng.uniform(0, 40)))
        for number in range(self.plan.cancelling):
            task = self._running(others[number % len(others)], ago=timedelta(seconds=self.lives.rng.uniform(5, 40)))
            yield task | {"status": TaskStatus.CANCELLING.value, "cancelRequestedAt": self.plan.now - timedelta(seconds=1)}
        for number in range(self.plan.unfinished_parents - 1):
            yield from self._unfinished_batch(others[number % len(others)])

    def workers(self) -> list[Json]:
        """Return the workers' reports; one of them is draining."""
        return [
            {
                "_id": owner(number),
                "host": host,
                "pid": pid,
                "cluster": CLUSTER,
                "startedAt": self.plan.now - timedelta(days=3),
                "heartbeatAt": self.plan.now,
                "slots": SLOTS,
                "running": self.held[number],
                "draining": number == len(WORKERS) - 1,
                "types": registry.known_types(),
            }
            for number, (host, pid) in enumerate(WORKERS)
        ]

    def _writer(self, shares: list[float]) -> Writer:
        return self.lives.rng.choices(self.writers, cum_weights=shares)[0]

    def _type(self) -> str:
        return SUMMARY if self.lives.rng.random() < 0.7 else SCENE

    def _waiting(self, writer: Writer, *, within: timedelta, task_type: str | None = None, **fields: Any) -> Json:
        return self.lives.queued(writer, task_type or self._type(), self.plan.now - within * self.lives.rng.random(), **fields)

    def _retrying(self, writer: Writer, *, limited: bool, **fields: Any) -> Json:
        task = self._waiting(writer, within=timedelta(minutes=20), **fields)
        # Which profile is limited: the second, where there are several.
        if limited and len(self.lives.profiles) > 1:
            task["resource"] = f"ai:{self.lives.profiles[1]}"
        record, now = self._attempt(task, seconds=3.0), self.plan.now
        error = LIMITED if limited else UNAVAILABLE
        transition = lifecycle.retry(
            task["_id"],
            record,
            error,
            progress=dict(lifecycle.NO_PROGRESS),
            available_at=now + timedelta(minutes=self.lives.rng.uniform(20, 60)),
            waited_seconds=0.0,
            burns_attempt=not limited,
        )
        apply(task, transition)
        self.lives.tally.attempt(task | {"availableAt": task["createdAt"]}, transition)
        return task

    def _attempt(self, task: Json, *, seconds: float) -> AttemptRecord:
        ended_at = min(task["createdAt"] + timedelta(seconds=seconds + 2.0), self.plan.now)
        started_at = max(ended_at - timedelta(seconds=seconds), task["createdAt"])
        task |= {"attempt": 1, "startedAt": started_at}
        return AttemptRecord(1, f"{self.lives.rng.getrandbits(64):016x}", started_at, ended_at, owner(0))

    def _running(self, writer: Writer, *, ago: timedelta, task_type: str | None = None, **fields: Any) -> Json:
        started_at = self.plan.now - ago
        task = self.lives.queued(writer, task_type or self._type(), started_at - timedelta(seconds=self.lives.rng.uniform(0.1, 5)), **fields)
        return self._hold(task, started_at)

    def _hold(self, task: Json, started_at: datetime) -> Json:
        number = self.lives.rng.choices(range(len(WORKERS)), (5, 5, 1))[0]
        self.held[number] += 1
        self.by_type[task["taskType"]] = self.by_type.get(task["taskType"], 0) + 1
        lease = {"owner": owner(number), "token": f"{self.lives.rng.getrandbits(64):016x}", "expiresAt": self.plan.now + HELD_FOR}
        percentage = self.lives.rng.choice((10, 10, 10, 90))
        progress = {"percentage": percentage, "message": "Storing" if percentage == 90 else "Writing", "current": None, "total": None}
        return task | {"status": TaskStatus.RUNNING.value, "attempt": 1, "startedAt": started_at, "updatedAt": started_at, "lease": lease, "progress": progress}

    def _at_the_users_limit(self) -> Iterator[Json]:
        for _ in range(self.per_user):
            yield self._running(self.writers[0], ago=timedelta(seconds=self.lives.rng.uniform(0, 40)))

    def _stuck(self) -> Iterator[Json]:
        first, second = self.writers[0], self.writers[-1]
        long_ago = timedelta(hours=6)
        yield self._waiting(second, within=long_ago, task_type=SUMMARY, task_id=stuck_id("queued"))
        yield self._waiting(second, within=long_ago, task_type=SCENE, task_id=stuck_id("type_limit"))
        yield self._waiting(second, within=long_ago, task_type=UNKNOWN_TYPE, task_id=stuck_id("unknown_type"), parameters={"language": "eo"}, resource=None)
        if self.per_user:
            yield self._waiting(first, within=long_ago, task_type=SUMMARY, task_id=stuck_id("user_limit"))
        yield self._retrying(second, limited=True, task_id=stuck_id("provider_limited"))
        yield self._retrying(second, limited=False, task_id=stuck_id("backoff"))
        yield from self._unfinished_batch(second, task_id=stuck_id("awaiting_children"))

    def _unfinished_batch(self, writer: Writer, **fields: Any) -> Iterator[Json]:
        rng, now = self.lives.rng, self.plan.now
        size = rng.randint(*SIZES)
        batch = Batch(writer, rng.choice(sorted(OF_CHILDREN)), size, now)
        planted_at = now - timedelta(minutes=rng.uniform(5, 40))
        parent = self.batches.planted(batch, planted_at, **fields)
        ended = int(size * rng.uniform(0.1, 0.7))
        running = min(4, size - ended)
        for place in range(size):
            child = self.batches.child(batch, parent, place, planted_at)
            if place < ended:
                script = self.lives.script(child["taskType"], now)
                script.steps = script.steps[-1:]
                script.steps[0].wait = (now - planted_at).total_seconds() * 0.8 * place / size
                script.status = TaskStatus.FAILED if script.steps[0].error else TaskStatus.COMPLETED
                self.lives.live(child, script)
            elif place < ended + running:
                child = self._hold(child, now - timedelta(seconds=rng.uniform(0, 30)))
            yield child
        apply(parent, lifecycle.roll_up(parent["_id"], 0, current=ended, total=size, now=now))
        yield parent
