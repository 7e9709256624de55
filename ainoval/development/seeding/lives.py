"""Single tasks, taken through their lives by the core's own transitions: what is stored is what a worker would have stored."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ainoval.development.seeding.library import Book, Writer
from ainoval.development.seeding.plan import FAILING_FOR, load
from ainoval.ids import new_id
from ainoval.moments import storable
from tasks_app import lifecycle
from tasks_app.documents import new_task
from tasks_app.lifecycle import AttemptRecord, Transition
from tasks_app.outcomes import ErrorRecord
from tasks_app.states import TaskStatus
from tasks_app.tally import Ending, Tally

Json = dict[str, Any]

SUMMARY: Final = "GENERATE_SUMMARY"
SCENE: Final = "GENERATE_SCENE"
FAILING_TYPE: Final = SCENE
FAILING_SHARE: Final = 0.6
MAX_ATTEMPTS: Final = 5
RETENTION: Final = timedelta(days=30)
COUNTED: Final = timedelta(days=8)

_TRACEBACK: Final = "Traceback (most recent call last):\n  in execute\n    completion = await ctx.ai.summarise(scene.content)\n  in summarise\n    {}: {}"
_FAILURES: Final = tuple(
    (weight, ErrorRecord(code, message, {}, retryable, _TRACEBACK.format("AIError", message)))
    for weight, code, message, retryable in (
        (40, "provider_unavailable", "The AI provider answered 502.", True),
        (20, "timeout", "The AI provider took longer than 300 s.", True),
        (15, "context_too_long", "The scene is longer than the model can read.", False),
        (15, "stalled", "The AI provider stopped in the middle of its answer.", True),
        (10, "scene_not_found", "There is no such scene.", False),
    )
)
LOST_FOR_GOOD_EVERY: Final = 500  # not by chance: so few that a small database might show none
FILTERED: Final = ErrorRecord(
    "content_filtered", "The AI provider refused the text.", {}, False, _TRACEBACK.format("AIError", "The AI provider refused the text.")
)
LIMITED: Final = ErrorRecord("rate_limited", "The AI provider asked to wait.", {}, True, _TRACEBACK.format("AIError", "429"))
UNAVAILABLE: Final = ErrorRecord("provider_unavailable", "The AI provider answered 502.", {}, True, _TRACEBACK.format("AIError", "502"))
_DONE: Final = {"percentage": 90, "message": "Storing", "current": None, "total": None}
_HALF_WAY: Final = {"percentage": 10, "message": "Writing", "current": None, "total": None}

# Median seconds that an attempt runs; the mean share of what waits before it.
_RUN_SECONDS: Final = {SUMMARY: 3.0, SCENE: 14.0}


@dataclass(slots=True)
class Step:
    """One attempt: how long it waited and ran; what it ended with, None for success."""

    wait: float
    run: float
    error: ErrorRecord | None = None


@dataclass(slots=True)
class Script:
    """What will happen to a task: its attempts, and how it ends."""

    steps: list[Step] = field(default_factory=list)
    status: TaskStatus = TaskStatus.COMPLETED

    @property
    def seconds(self) -> float:
        """From submission to end."""
        return sum(step.wait + step.run for step in self.steps)


class Lives:
    """Makes tasks that have ended, and counts them as workers would have."""

    def __init__(self, rng: random.Random, now: datetime, profiles: Sequence[str], tally: Tally) -> None:
        self.rng = rng
        self.now = now
        self.profiles = profiles
        self.tally = tally
        self._keys = 0
        self._scripts = itertools.count()

    def profile(self) -> str:
        """Return which AI profile a single task uses: of ten with a choice, seven or so the first."""
        weights = [0.25**place for place in range(len(self.profiles))]
        return self.rng.choices(self.profiles, weights)[0]

    def script(self, task_type: str, at: datetime, profile: str = "") -> Script:
        """Return what happens to a task of a type, with an AI profile, that ends about then."""
        rng = self.rng
        steps = [self._step(task_type, at)]
        fate = rng.random()
        if next(self._scripts) % LOST_FOR_GOOD_EVERY == LOST_FOR_GOOD_EVERY // 5:
            return Script([self._step(task_type, at) for _ in range(3)], TaskStatus.INTERRUPTED)
        if profile in self.profiles[2:] and at > self.now - FAILING_FOR:
            return Script([self._step(task_type, at, UNAVAILABLE) for _ in range(2)], TaskStatus.FAILED)
        failing = task_type == FAILING_TYPE and at > self.now - FAILING_FOR
        if failing and fate < FAILING_SHARE:
            steps[-1].error = FILTERED
            return Script(steps, TaskStatus.FAILED)
        if fate < 0.07:
            [(_, error)] = rng.choices(_FAILURES, [weight for weight, _ in _FAILURES])
            attempts = rng.randint(1, MAX_ATTEMPTS) if error.retryable else 1
            steps = [self._step(task_type, at, error, backoff=number * 8.0) for number in range(attempts)]
            # Most of what fails for a moment goes well at another attempt.
            if error.retryable and fate < 0.045:
                return Script([*steps, self._step(task_type, at, backoff=30.0)])
            return Script(steps, TaskStatus.FAILED)
        if fate < 0.09:
            if fate < 0.08:
                steps = [Step(steps[0].wait * rng.uniform(5, 50), 0.0)]  # cancelled before it began
            return Script(steps, TaskStatus.CANCELLED)
        return Script(steps)

    def _step(self, task_type: str, at: datetime, error: ErrorRecord | None = None, *, backoff: float = 0.0) -> Step:
        busy = load(at)
        wait = self.rng.lognormvariate(0.0, 0.9) * (0.05 + 4.0 * busy**4)
        return Step(wait + backoff, self.rng.lognormvariate(0.0, 0.5) * _RUN_SECONDS[task_type] * (0.7 + 0.6 * busy), error)

    def parameters(self, task_type: str, book: Book, scene_id: str) -> Json:
        """Return the parameters of a task about a scene."""
        common = {"sceneId": scene_id, "aiConfigId": None, "overwriteExisting": True, "autoApply": False}
        if task_type == SUMMARY:
            return common | {"instructions": None}
        return common | {"novelId": book.novel_id, "chapterId": None, "summary": None, "style": None, "targetWords": 600}

    def queued(self, writer: Writer, task_type: str, at: datetime, *, book: Book | None = None, scene_id: str | None = None, **fields: Any) -> Json:
        """Return a task as its submission stored it."""
        book = book or self.rng.choice(writer.books)
        self._keys += 1
        return new_task(
            task_id=fields.pop("task_id", None) or new_id(),
            user_id=writer.user_id,
            task_type=task_type,
            parameters=fields.pop("parameters", None) or self.parameters(task_type, book, scene_id or self.rng.choice(book.scene_ids)),
            now=at,
            fair_key=float(self._keys),
            priority=0,
            max_attempts=MAX_ATTEMPTS,
            resource=fields.pop("resource", f"ai:{self.profiles[0]}"),
            **fields,
        )

    def ended(self, writer: Writer, task_type: str, ended_at: datetime) -> Json:
        """Return a single task that ended at a moment."""
        profile = self.profile()
        script = self.script(task_type, ended_at, profile)
        task = self.queued(writer, task_type, ended_at - timedelta(seconds=script.seconds), resource=f"ai:{profile}")
        self.live(task, script)
        return task

    def live(self, task: Json, script: Script) -> None:
        """Take a queued task through all of its attempts to its end."""
        moment: datetime = task["createdAt"]
        for number, step in enumerate(script.steps, start=1):
            last = number == len(script.steps)
            if last and script.status is TaskStatus.CANCELLED and not step.run:
                self._cancel_waiting(task, moment + timedelta(seconds=step.wait))
                return
            started, ended = storable(moment + timedelta(seconds=step.wait)), storable(moment + timedelta(seconds=step.wait + step.run))
            task |= {"availableAt": moment, "startedAt": started, "attempt": number}
            record = self._record(task, started, ended)
            if script.status is TaskStatus.INTERRUPTED:
                self._lose(task, record, last)
            else:
                transition = self._ending(task, record, step, script.status, last)
                apply(task, transition)
                if ended > self.now - COUNTED:
                    self.tally.attempt(task | {"availableAt": moment}, transition)
            moment = ended

    def _record(self, task: Json, started: datetime, ended: datetime) -> AttemptRecord:
        tokens = self.rng.randint(400, 3_000)
        return AttemptRecord(task["attempt"], f"{self.rng.getrandbits(64):016x}", started, ended, "writers-1:seeded:0", tokens, tokens // 8)

    def _ending(self, task: Json, record: AttemptRecord, step: Step, status: TaskStatus, last: bool) -> Transition:
        expire_at = None if task["parentId"] else record.ended_at + RETENTION
        task_id: str = task["_id"]
        if step.error is not None:
            if last:
                return lifecycle.fail(task_id, record, step.error, progress=dict(_HALF_WAY), expire_at=expire_at)
            return lifecycle.retry(task_id, record, step.error, progress=dict(_HALF_WAY), available_at=record.ended_at, waited_seconds=0.0, burns_attempt=True)
        if status is TaskStatus.CANCELLED:
            task["cancelRequestedAt"] = record.ended_at
            return lifecycle.confirm_cancel(task_id, record, progress=dict(_HALF_WAY), expire_at=expire_at)
        return lifecycle.complete(task_id, record, result=self._result(task), progress=dict(_DONE), expire_at=expire_at)

    def _result(self, task: Json) -> Json:
        common: Json = {"sceneId": task["parameters"]["sceneId"], "sceneVersion": 1, "applied": False, "conflict": False, "skipped": False}
        common |= {"provider": "offline", "model": "extractive-1"}
        text = "She keeps the ledger dry and the lamp lit; the ferry does not come, and nobody asks about the trunk. " * 2
        return common | ({"summary": text} if task["taskType"] == SUMMARY else {"content": text * 6, "wordCount": 240})

    def _cancel_waiting(self, task: Json, at: datetime) -> None:
        at = storable(at)
        task |= {"status": TaskStatus.CANCELLED.value, "cancelRequestedAt": at, "completedAt": at, "updatedAt": at}
        if not task["parentId"]:
            task["expireAt"] = at + RETENTION
        self._count(task, TaskStatus.CANCELLED, at)

    def _lose(self, task: Json, record: AttemptRecord, last: bool) -> None:
        error = ErrorRecord("worker_lost", "The worker that ran this task was lost.", {"losses": record.attempt}, retryable=True)
        task["attempts"].append(record.stored("lost", error))
        task |= {"crashCount": record.attempt, "errorInfo": lifecycle.error_info(error, attempt=record.attempt), "updatedAt": record.ended_at}
        if last:
            task |= {"status": TaskStatus.INTERRUPTED.value, "completedAt": record.ended_at}
            if not task["parentId"]:
                task["expireAt"] = record.ended_at + RETENTION
        self._count(task, TaskStatus.INTERRUPTED if last else None, record.ended_at, code="worker_lost", lost=True)

    def _count(self, task: Json, status: TaskStatus | None, at: datetime, *, code: str | None = None, lost: bool = False) -> None:
        if at > self.now - COUNTED:
            self.tally.ending(Ending(task["taskType"], task.get("resource"), status, code=code, lost=lost), at)


def apply(task: Json, transition: Transition) -> None:
    """Change a document as MongoDB would: of the operators, those that a worker's endings use."""
    update: Any = transition.update
    task |= update["$set"]
    for name in update.get("$unset", ()):
        task.pop(name, None)
    if "$push" in update:
        pushed = update["$push"]["attempts"]
        task["attempts"] = [*task["attempts"], *pushed["$each"]][pushed["$slice"] :]
    for path, count in update.get("$inc", {}).items():
        group, name = path.split(".")
        counts = task.setdefault(group, {})
        counts[name] = counts.get(name, 0) + count
