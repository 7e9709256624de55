"""One claimed run of a task: starts the executable, stops it when it must, and turns whatever comes out into exactly one ending.

There is one asyncio task for each attempt, and its end is a callback, not a second coroutine that waits: with hundreds of attempts in a process this is
half the cost.
"""

import asyncio
import concurrent.futures
import logging
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from pymongo.asynchronous.database import AsyncDatabase
from structlog.stdlib import BoundLogger

from ainoval import mongo
from ainoval.logs import get_logger
from tasks_app import lifecycle, registry
from tasks_app.conf import QUARANTINE_AFTER_LOSSES, TaskSettings
from tasks_app.documents import SINGLE_LANE
from tasks_app.errors import AttemptStopped, LeaseLost, PermanentFailure, RetryLater
from tasks_app.executable import FanOut, Services, TaskModel
from tasks_app.lifecycle import AttemptRecord, Transition
from tasks_app.outcomes import AttemptTimeout, Fail, Retry, bounded, decide
from tasks_app.tally import Tally
from tasks_app.worker.clock import ServerClock
from tasks_app.worker.context import LoopContext, PoolContext
from tasks_app.worker.leases import LeaseKeeper
from tasks_app.worker.outbox import Outbox, Verdict
from tasks_app.worker.steps import timed

Json = dict[str, Any]
T = TypeVar("T")

DATABASE_AWAY_DELAY = timedelta(seconds=1)
CANCEL_AGAIN_SECONDS = 5.0
MAX_TOKENS = 2**53  # added up over a task's attempts they are far from what MongoDB can hold
PROGRESS_MESSAGE_MAX_LENGTH = 500

log = get_logger(__name__)
_informs = partial(logging.getLogger(__name__).isEnabledFor, logging.INFO)


class StopReason(StrEnum):
    """Why an attempt is told to stop, the weightier later."""

    SHUTDOWN = "shutdown"
    TIMEOUT = "timeout"
    CANCEL = "cancel"
    LEASE_LOST = "lease_lost"


_WEIGHT = {reason: weight for weight, reason in enumerate(StopReason)}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all attempts of a worker share.

    Attributes:
        deserted: Calls in the pool's threads for which nobody waits any more, and since when, by the loop's clock.
    """

    db: AsyncDatabase[Json]
    owner: str
    settings: TaskSettings
    services: Services
    threads: Executor
    outbox: Outbox
    leases: LeaseKeeper
    clock: ServerClock
    tally: Tally
    rng: random.Random
    deserted: dict[concurrent.futures.Future[Any], float] = field(default_factory=dict)


class Attempt:
    """One attempt, from its claim to the write of its ending."""

    __slots__ = (  # there are thousands
        "_around",
        "_delivered",
        "_on_end",
        "_progress",
        "_protected",
        "_queued",
        "_reported",
        "_timer",
        "_work",
        "completion_tokens",
        "db",
        "document",
        "draft",
        "ending",
        "executable",
        "in_quarantine",
        "number",
        "prompt_tokens",
        "services",
        "stop_reason",
        "stopped_at",
        "task_id",
        "threads",
        "token",
        "trusted_from",
        "user_id",
    )

    def __init__(self, document: Json, claimed_at: float, around: Surroundings, on_end: Callable[["Attempt"], None]) -> None:
        self.document = document
        self.executable = registry.get(document["taskType"])
        self.task_id: str = document["_id"]
        self.user_id: str = document["userId"]
        self.number: int = document["attempt"]
        self.token: str = document["lease"]["token"]
        self.draft: Json | None = document.get("draft")
        self.in_quarantine: bool = document["crashCount"] >= QUARANTINE_AFTER_LOSSES
        self.db = around.db
        self.services = around.services
        self.threads = around.threads
        self.stop_reason: StopReason | None = None
        self.trusted_from = claimed_at  # by `elapsed`, from before the claim or the last renewal was sent
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.ending = False
        self.stopped_at: float | None = None
        self._around = around
        self._on_end = on_end
        self._progress = lifecycle.NO_PROGRESS
        self._reported = False
        self._protected = 0
        self._delivered = False
        self._work: asyncio.Future[Any] | None = None
        self._queued: concurrent.futures.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def log(self) -> BoundLogger:
        """A logger whose lines name this attempt; made when a line is written, for most attempts write none."""
        bound: BoundLogger = log.bind(
            task_id=self.task_id,
            task_type=self.document["taskType"],
            user_id=self.user_id,
            attempt=self.number,
            worker=self._around.owner,
        )
        return bound

    # --- running ---

    def start(self) -> None:
        """Begin the work; its end calls `on_end` when the ending is stored."""
        loop = asyncio.get_running_loop()
        executable = self.executable
        context = LoopContext(self, self.services)
        try:
            parameters = registry.stored_parameters(executable, self.document["parameters"])
        except Exception as unfit:  # from the author's validators: a PermanentFailure, or what pydantic lets through
            self._work = loop.create_task(_fail_with(unfit))
        else:
            if executable.runs_in_thread:
                self._queued = self.threads.submit(self._in_thread, parameters, PoolContext(context, self, loop), loop)
                self._work = asyncio.wrap_future(self._queued, loop=loop)
            else:
                self._start_timer()
                self._work = loop.create_task(timed(self._on_loop(parameters, context), self._slow))
        self._work.add_done_callback(self._done)

    async def _on_loop(self, parameters: TaskModel, context: LoopContext) -> Any:
        if _informs():
            self.log.info("attempt_started")
        work: Any = self.executable.execute(parameters, context)
        try:
            return await work
        except SystemExit as exc:
            raise RuntimeError("execute() called sys.exit()") from exc  # it would end the loop, with all that runs on it

    def _start_timer(self) -> None:
        self._set_timer(self.executable.timeout.total_seconds(), partial(self.stop, StopReason.TIMEOUT))

    def _set_timer(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _in_thread(self, parameters: TaskModel, context: PoolContext, loop: asyncio.AbstractEventLoop) -> Any:
        if self.stop_reason is not None:  # it waited for a free thread, and was stopped meanwhile
            raise AttemptStopped(f"This attempt was stopped ({self.stop_reason}) before it began.")
        loop.call_soon_threadsafe(self._start_timer)  # waiting for a free thread is not the work's time
        if _informs():
            self.log.info("attempt_started")
        return _without_stop_iteration(self.executable.execute, parameters, context)

    async def in_thread(self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        """Run a function in the thread pool. One that does not return when its caller is cancelled keeps its thread, and the worker is told."""
        work = self.threads.submit(_without_stop_iteration, function, *args)
        try:
            return await asyncio.wrap_future(work)
        finally:
            if work.running():
                self._around.deserted[work] = asyncio.get_running_loop().time()

    def _slow(self, seconds: float) -> None:
        self.log.warning("loop_blocked", seconds=round(seconds, 3))

    # --- stopping ---

    def stop(self, reason: StopReason) -> None:
        """Tell the attempt to stop: a coroutine is cancelled, a thread hears it from its context. Its lease ends when it has ended."""
        if self.ending or (self.stop_reason is not None and _WEIGHT[reason] <= _WEIGHT[self.stop_reason]):
            return
        self.stop_reason = reason
        self.stopped_at = asyncio.get_running_loop().time()
        self.log.info("attempt_stopping", reason=reason.value)
        self._deliver()

    def _deliver(self) -> None:
        if self._protected and self.stop_reason is not StopReason.LEASE_LOST:
            return  # an effect is under way: it ends first, and its result counts
        if isinstance(self._work, asyncio.Task) and not self._work.done():
            self._delivered = True
            self._work.cancel()
            # Told again if need be: `asyncio.wait_for` of Python 3.11, for one, drops a cancellation that comes together with what it waited for.
            self._set_timer(CANCEL_AGAIN_SECONDS, self._deliver)
        elif self._queued is not None:
            self._queued.cancel()  # while it waits for a free thread it ends at once; a thread that runs is not touched by this

    @contextmanager
    def protected(self) -> Iterator[None]:
        """While inside, a cancellation waits."""
        self._protected += 1
        try:
            yield
        finally:
            self._protected -= 1
            if self.stop_reason is not None and not self._protected:
                # What was told meanwhile still holds, unless the work ends with the effect.
                asyncio.get_running_loop().call_soon(self._deliver)

    async def certain(self) -> None:
        """Wait until the lease is trusted; raise when the attempt was told to stop, or has ended."""
        while self._around.leases.distrusts(self):
            await self._around.leases.renewed()
        if self.stop_reason is StopReason.LEASE_LOST:
            raise LeaseLost
        if self.ending:
            # A coroutine that `execute` has left behind: of two that are gathered, one goes on when the other has failed.
            raise AttemptStopped("This attempt has ended.")
        if self.stop_reason is not None and not self._protected:
            # A coroutine may not have been cancelled yet: from the end of one effect to the next it gives the loop no turn.
            raise AttemptStopped(f"This attempt was stopped ({self.stop_reason}).")

    # --- writes during the work ---

    def report(self, current: int | None, total: int | None, message: str | None, percentage: int | None) -> None:
        """Remember the latest progress; the worker writes it at the next interval.

        Raises:
            ValueError: A number that cannot be stored.
        """
        # Those of NumPy, or a Decimal, are no numbers to MongoDB.
        current, total, percentage = (None if number is None else int(number) for number in (current, total, percentage))
        if any(number is not None and not 0 <= number < 2**63 for number in (current, total)):
            raise ValueError("current and total count from 0, and need no more than 63 bits")
        if percentage is None and current is not None and total:
            percentage = 100 * current // total
        known = self._progress
        self._progress = {
            "percentage": min(max(known["percentage"] if percentage is None else percentage, 0), 100),
            "message": known["message"] if message is None else bounded(message, PROGRESS_MESSAGE_MAX_LENGTH),
            "current": known["current"] if current is None else current,
            "total": known["total"] if total is None else total,
        }
        self._reported = True

    def add_usage(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count tokens that were paid for.

        Raises:
            ValueError: A number that cannot be stored.
        """
        prompt, completion = self.prompt_tokens + int(prompt_tokens), self.completion_tokens + int(completion_tokens)
        if not (0 <= prompt < MAX_TOKENS and 0 <= completion < MAX_TOKENS):
            raise ValueError("tokens count from 0, and their sum needs no more than 53 bits")
        self.prompt_tokens, self.completion_tokens = prompt, completion

    def flush_progress(self) -> None:
        """Write progress that was reported since the last time."""
        if self._reported and not self.ending:
            self._reported = False
            self._around.outbox.report(lifecycle.report_progress(self.task_id, self.token, self._progress, self._around.clock.now()))

    async def save_draft(self, draft: Json) -> None:
        """Store a draft, fenced."""
        lifecycle.storable_document(lambda: draft, "draft")
        if await self._around.outbox.write(lifecycle.save_draft(self.task_id, self.token, draft)) is not Verdict.WRITTEN:
            raise LeaseLost
        self.draft = draft

    async def mark_applied(self) -> None:
        """Store when the result was applied."""
        await lifecycle.execute(self.db, lifecycle.mark_applied(self.task_id, self._around.clock.now(), {}))

    # --- ending ---

    def _done(self, work: "asyncio.Future[Any]") -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.ending = True
        error = asyncio.CancelledError() if work.cancelled() else work.exception()
        if self.stop_reason is StopReason.LEASE_LOST:
            self.log.warning("attempt_abandoned", reason="lease_lost")
            self._on_end(self)
            return
        try:
            transition = lifecycle.sized(self._ending(work, error))
        except Exception as exc:
            # An exception or a result that cannot be described, or not be stored as it describes itself: the attempt must end all the same.
            self.log.exception("ending_failed")
            transition = self._failure(self._record(), RuntimeError(f"{type(exc).__name__} while the attempt's end was described"), None)
        self._write(transition)

    def _ending(self, work: "asyncio.Future[Any]", error: BaseException | None) -> Transition:
        record = self._record()
        if error is None and not (self._delivered and self.stop_reason is StopReason.CANCEL):
            return self._result(record, work.result())
        match self.stop_reason:
            case StopReason.CANCEL:
                return lifecycle.confirm_cancel(self.task_id, record, progress=self._progress, expire_at=self._expire_at(record))
            case StopReason.SHUTDOWN if isinstance(error, asyncio.CancelledError | AttemptStopped):
                return lifecycle.release(self.task_id, record)
            case StopReason.TIMEOUT if isinstance(error, asyncio.CancelledError | AttemptStopped | TimeoutError):
                limit = self.executable.timeout.total_seconds()
                timeout = AttemptTimeout(f"The attempt took longer than {limit:g} s.")
                timeout.__cause__ = error
                return self._failure(record, timeout, "timeout")
        assert error is not None  # noqa: S101 - without an error the result was returned above
        return self._failure(record, error, None)

    def _result(self, record: AttemptRecord, result: Any) -> Transition:
        if isinstance(result, FanOut):
            return lifecycle.await_children(self.task_id, record, total=result.total)
        if not isinstance(result, self.executable.Result):
            wrong = PermanentFailure(
                f"The executable returned {type(result).__name__} instead of {self.executable.Result.__name__}.",
                code="bad_result",
            )
            return self._failure(record, wrong, None)
        try:
            stored, size = lifecycle.storable_document(lambda: result.model_dump(mode="json", by_alias=True), "result")
        except PermanentFailure as refused:
            return self._failure(record, refused, None)
        return lifecycle.complete(self.task_id, record, result=stored, progress=self._progress, expire_at=self._expire_at(record), size=size)

    def _failure(self, record: AttemptRecord, error: BaseException, outcome: str | None) -> Transition:
        if mongo.is_unavailable(error):
            # MongoDB was away when the work needed it: not the work's fault, so not at its cost.
            away = RetryLater(DATABASE_AWAY_DELAY, "The database could not be reached.", code="database_unavailable")
            away.__cause__ = error
            error = away
        decision = decide(
            error,
            attempt=self.number,
            policy=self.executable.retry,
            waited_seconds=self.document.get("waitedSeconds") or 0.0,
            max_wait_seconds=self._around.settings.max_wait_seconds,
            rng=self._around.rng,
        )
        match decision:
            case Fail(stored):
                self.log.warning(
                    "attempt_failed",
                    code=stored.code,
                    traceback=stored.traceback if stored.code == "unexpected_error" else None,
                )
                return lifecycle.fail(
                    self.task_id,
                    record,
                    stored,
                    progress=self._progress,
                    expire_at=self._expire_at(record),
                    outcome=outcome or "failed",
                )
            case Retry(delay, stored, burns):
                self.log.info("attempt_retries", code=stored.code, delay_seconds=round(delay, 3), burns_attempt=burns)
                waited = (self.document.get("waitedSeconds") or 0.0) + (0.0 if burns else delay)
                return lifecycle.retry(
                    self.task_id,
                    record,
                    stored,
                    progress=self._progress,
                    available_at=record.ended_at + timedelta(seconds=delay),
                    waited_seconds=waited,
                    burns_attempt=burns,
                    outcome=outcome or "retry",
                )

    def _write(self, transition: Transition) -> None:
        self._around.outbox.put(transition, lambda verdict: self._written(transition, verdict))

    def _written(self, transition: Transition, verdict: Verdict) -> None:
        match verdict:
            case Verdict.WRITTEN:
                if _informs():
                    self.log.info("attempt_ended", outcome=transition.name)
                self._around.tally.attempt(self.document, transition)
            case Verdict.CANCELLING:
                # The cancellation came between the end of the work and this write: it beats retry, failure and release.
                record = self._record()
                self._write(lifecycle.confirm_cancel(self.task_id, record, progress=self._progress, expire_at=self._expire_at(record)))
                return
            case Verdict.LOST:
                self.log.warning("attempt_abandoned", reason="lease_lost", outcome=transition.name)
        self._on_end(self)

    def _record(self) -> AttemptRecord:
        started_at = self.document["startedAt"]
        return AttemptRecord(
            self.number,
            self.token,
            started_at,
            max(self._around.clock.now(), started_at),
            self._around.owner,
            self.prompt_tokens,
            self.completion_tokens,
        )

    def _expire_at(self, record: AttemptRecord) -> Any:
        if self.document["lane"] != SINGLE_LANE:
            return None  # a child is kept as long as its parent
        return record.ended_at + timedelta(seconds=self._around.settings.retention_seconds)


def _without_stop_iteration(function: Callable[..., T], *args: Any) -> T:
    try:
        return function(*args)
    except StopIteration as exc:
        raise RuntimeError(f"{getattr(function, '__name__', 'the function')}() raised StopIteration") from exc  # a future refuses it, and would never be done


async def _fail_with(error: Exception) -> None:
    raise error
