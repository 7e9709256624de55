"""What runs in each worker process: one event loop that claims tasks while it has free slots, runs them, and keeps house."""

import asyncio
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from pymongo.asynchronous.database import AsyncDatabase

from ainoval import indexes, mongo
from ainoval.ai.profiles import load_profiles
from ainoval.ai.service import AIService
from ainoval.logs import get_logger
from ainoval.novels.service import NovelService, SceneService
from tasks_app import families, lifecycle, maintenance, registry
from tasks_app.conf import (
    FAMILIES_SECONDS,
    ORPHAN_SWEEP_SECONDS,
    POLL_SECONDS,
    ROLL_UP_SECONDS,
    TALLY_SECONDS,
    TaskSettings,
    task_settings,
)
from tasks_app.documents import WORKERS
from tasks_app.executable import Services
from tasks_app.fairness import FairShares
from tasks_app.tally import Tally
from tasks_app.worker.attempt import Attempt, StopReason, Surroundings
from tasks_app.worker.claims import Claimer
from tasks_app.worker.clock import ServerClock, elapsed
from tasks_app.worker.leases import LeaseKeeper
from tasks_app.worker.limits import Limits
from tasks_app.worker.outbox import Outbox
from tasks_app.worker.ticks import tick
from tasks_app.worker.turns import Turns
from tasks_app.worker.wakeups import WakeUps

Json = dict[str, Any]

CLAIM_GROUP = 200
GATHER_SECONDS = 0.004
PULSE_SECONDS = 0.25
HEARTBEAT_SECONDS = 2.0
CLOCK_SECONDS = 10.0
EXIT_RESERVE_SECONDS = 0.8
CANCEL_ROUNDS = 8
STUCK_THREAD_SECONDS = 10.0
AWAY_SECONDS = 0.5
VIRTUAL_TIME_SECONDS = 0.1

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a worker is: `owner` stands in the leases it holds."""

    owner: str
    cluster: str
    predecessor: str | None = None

    @classmethod
    def new(cls, cluster: str, predecessor: str | None = None) -> "Identity":
        """Return an identity that nobody had before."""
        return cls(f"{socket.gethostname()}:{cluster[:8]}:{os.urandom(4).hex()}", cluster, predecessor)


class Worker:
    """One worker process's life."""

    def __init__(self, identity: Identity, settings: TaskSettings, beat: Callable[[], None], orphaned: Callable[[], bool]) -> None:
        self.identity = identity
        self.settings = settings
        self.attempts: dict[str, Attempt] = {}
        self._beat = beat
        self._orphaned = orphaned
        self._draining = asyncio.Event()
        self._slot_free = asyncio.Event()
        self._parents: set[str] = set()
        self._families_at = float("-inf")
        self._served = 0.0  # the largest fair-share key that was claimed here and is not written yet
        self._advanced_at = float("-inf")

    # --- life ---

    async def run(self) -> None:
        """Work until told to drain, then hand back what is unfinished."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.drain)
        # The loop's pulse comes first: while MongoDB is away at the start, the guard must still see a living loop.
        pulse = loop.create_task(self._pulse(), name="pulse")
        try:
            self._assemble(mongo.database())
            await self._contact()
            log.info(
                "worker_started",
                worker=self.identity.owner,
                pid=os.getpid(),
                slots=self.settings.worker_concurrency,
                types=len(registry.known_types()),
            )
            house = {loop.create_task(coro, name=name) for name, coro in self._duties()}
            draining = loop.create_task(self._draining.wait(), name="draining")
            try:
                ended, _ = await asyncio.wait(house | {draining}, return_when=asyncio.FIRST_COMPLETED)
                for duty in ended - {draining}:
                    if not self._draining.is_set():
                        # A worker that lacks one of its duties looks alive and does harm: better a new one.
                        log.error("duty_ended", duty=duty.get_name(), worker=self.identity.owner, exc_info=duty.exception())
                    self.drain()
                await self._shut_down(next(duty for duty in house if duty.get_name() == "claims"))
            finally:
                await _end(house | {draining})
        finally:
            pulse.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)
            await asyncio.wait({loop.create_task(self._leave())}, timeout=EXIT_RESERVE_SECONDS)
            log.info("worker_stopped", worker=self.identity.owner, pid=os.getpid(), unfinished=len(self.attempts))

    def drain(self) -> None:
        """Stop claiming; `run` ends when the running tasks have, or their grace is over."""
        if not self._draining.is_set():
            log.info("worker_draining", worker=self.identity.owner, running=len(self.attempts))
        self._draining.set()
        self._slot_free.set()

    def _assemble(self, db: AsyncDatabase[Json]) -> None:
        self._db = db
        self._workers = db.get_collection(WORKERS, write_concern=mongo.HINT)
        self._threads = ThreadPoolExecutor(self.settings.threads, thread_name_prefix="task")
        profiles = load_profiles(django_settings.AINOVAL)
        per_resource = {f"ai:{name}": profile.max_concurrency for name, profile in profiles.items()}
        limits = Limits.current(self.settings, per_resource)
        services = Services(NovelService(db), SceneService(db), AIService(profiles, self._threads))
        self._services = services
        self._clock = ServerClock()
        self._claimer = Claimer(db, self.identity.owner, limits, self.settings)
        self._leases = LeaseKeeper(db, self.identity.owner, self.settings, self.attempts, self._claimer.unanswered)
        self._shares = FairShares(db)
        self._tally = Tally(db)
        self._turns = Turns(db, self.identity.owner, self._clock)
        self._wake = WakeUps(db, self._turns.mine)
        self._outbox = Outbox(db, self._wake.crowd)
        self._around = Surroundings(
            db=db,
            owner=self.identity.owner,
            settings=self.settings,
            services=services,
            threads=self._threads,
            outbox=self._outbox,
            leases=self._leases,
            clock=self._clock,
            tally=self._tally,
            rng=random.Random(),  # noqa: S311 - jitter, no secret
        )

    def _duties(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        return [
            ("claims", self._claims()),
            ("outbox", self._outbox.run()),
            ("leases", self._leases.run(lambda a: a.stop(StopReason.LEASE_LOST), lambda a: a.stop(StopReason.CANCEL))),
            ("wakeups", self._wake.run()),
            ("progress", self._every(max(self.settings.progress_interval, 0.05), self._flush_progress)),
            ("roll_up", self._every(ROLL_UP_SECONDS, self._roll_up)),
            ("chores", self._every(POLL_SECONDS, self._do_chores)),
            ("orphans", self._every(ORPHAN_SWEEP_SECONDS, self._sweep_orphans)),
            ("heartbeat", self._every(HEARTBEAT_SECONDS, self._heartbeat)),
            ("tally", self._every(TALLY_SECONDS, self._tally.flush)),
            ("clock", self._every(CLOCK_SECONDS, self._read_clock)),
        ]

    async def _contact(self) -> None:
        """Wait for MongoDB, then take over what a dead predecessor of this process has left."""
        while not self._draining.is_set():
            try:
                await self._clock.read(self._db)
                await indexes.ensure_task_indexes(self._db)
                await self._heartbeat()
                if self.identity.predecessor:
                    await maintenance.recover_worker(self._db, self.identity.predecessor)
                return
            except mongo.UNAVAILABLE as exc:
                self._leases.lost_contact()  # others may not have renewed yet when it is back
                log.warning("mongodb_away", worker=self.identity.owner, error=type(exc).__name__)
                await asyncio.sleep(AWAY_SECONDS)

    async def _shut_down(self, claims: asyncio.Task[None]) -> None:
        deadline = time.monotonic() + self.settings.shutdown_grace
        # A claim that is under way may win tasks yet: they must be run or handed back, not left to their leases.
        self._wake.now()
        await asyncio.wait({claims}, timeout=max(self.settings.shutdown_grace, EXIT_RESERVE_SECONDS / 2))
        await self._finish_attempts(deadline)
        for attempt in list(self.attempts.values()):
            attempt.stop(StopReason.SHUTDOWN)
        # Cancelled coroutines end in a turn of the loop, and their release is one write; if MongoDB is away the leases expire.
        await self._finish_attempts(time.monotonic() + EXIT_RESERVE_SECONDS)

    async def _finish_attempts(self, deadline: float) -> None:
        while self.attempts and (left := deadline - time.monotonic()) > 0:
            self._slot_free.clear()
            try:
                await asyncio.wait_for(self._slot_free.wait(), left)
            except TimeoutError:
                return

    async def _leave(self) -> None:
        try:
            await self._workers.delete_one({"_id": self.identity.owner})
            await self._tally.flush()
            await self._services.ai.aclose()
            await mongo.close()
        except mongo.UNAVAILABLE:
            pass  # the heartbeat runs out by itself

    # --- claiming ---

    async def _claims(self) -> None:
        one_came = False
        while not self._draining.is_set():
            free = self.settings.worker_concurrency - len(self.attempts)
            if free <= 0:
                self._slot_free.clear()
                await self._slot_free.wait()
                # Slots come free in bursts (one bulk write ends many attempts): a moment's wait makes a group of them.
                await asyncio.sleep(GATHER_SECONDS)
                continue
            try:
                before = elapsed()
                quarantine_free = not any(attempt.in_quarantine for attempt in self.attempts.values())
                claim = self._claimer.claim_first if one_came else self._claimer.claim
                claimed = await claim(min(free, CLAIM_GROUP), quarantine_free=quarantine_free)
            except mongo.UNAVAILABLE as exc:
                self._leases.lost_contact()
                log.warning("claim_failed", worker=self.identity.owner, error=type(exc).__name__)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            for document in claimed.tasks:
                self._begin(document, before)
            if claimed.tasks:
                self._wake.busy()
                self._served = max(self._served, *(task["fairKey"] for task in claimed.tasks))
                if time.monotonic() - self._advanced_at >= VIRTUAL_TIME_SECONDS:
                    await self._advance()
            if claimed.more and (claimed.tasks or self._claimer.pause):
                one_came = False
                if self._claimer.pause:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._draining.wait(), self._claimer.pause)
            else:
                one_came = await self._wake.wait()

    def _begin(self, document: Json, claimed_at: float) -> None:
        attempt = Attempt(document, claimed_at, self._around, self._ended)
        if (earlier := self.attempts.get(attempt.task_id)) is not None:
            # Its lease has run out and the task came back to the queue: who renews leases looks at the latest attempt only, and would not tell it.
            earlier.stop(StopReason.LEASE_LOST)
        self.attempts[attempt.task_id] = attempt
        attempt.start()

    async def _advance(self) -> None:
        """Tell new tasks how far the queue has come. Tasks that come one by one share a write: it is a hint, read no more often than this."""
        served, self._served, self._advanced_at = self._served, 0.0, time.monotonic()
        try:
            await self._shares.advance(served)
        except mongo.UNAVAILABLE:
            self._leases.lost_contact()

    def _ended(self, attempt: Attempt) -> None:
        if self.attempts.get(attempt.task_id) is attempt:
            del self.attempts[attempt.task_id]
        if parent_id := attempt.document.get("parentId"):
            self._parents.add(parent_id)
        elif attempt.executable.fans_out:
            self._parents.add(attempt.task_id)  # it awaits its children, who may have ended, or has ended, and they must
        self._slot_free.set()
        if self._claimer.limited:
            self._wake.now()  # its end made room for another task of the same user, type or profile

    # --- housekeeping ---

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            await tick(seconds)
            try:
                await work()
            except mongo.UNAVAILABLE:
                self._leases.lost_contact()
            except Exception:
                # One bad document must not end the care for all others.
                log.exception("housekeeping_failed", duty=work.__name__, worker=self.identity.owner)

    async def _pulse(self) -> None:
        while True:
            self._beat()
            if self._orphaned():
                log.error("cluster_gone", worker=self.identity.owner)
                self.drain()
            if self._half_the_threads_are_stuck():
                log.error("threads_stuck", worker=self.identity.owner)
                self.drain()
            await tick(PULSE_SECONDS)

    def _half_the_threads_are_stuck(self) -> bool:
        now = asyncio.get_running_loop().time()
        stuck = sum(
            attempt.stopped_at is not None and now - attempt.stopped_at > STUCK_THREAD_SECONDS and attempt.executable.runs_in_thread
            for attempt in self.attempts.values()
        )
        deserted = self._around.deserted
        for work in [work for work in deserted if work.done()]:
            del deserted[work]
        stuck += sum(now - since > STUCK_THREAD_SECONDS for since in deserted.values())
        return 2 * stuck >= self.settings.threads

    async def _flush_progress(self) -> None:
        for attempt in self.attempts.values():
            attempt.flush_progress()

    async def _roll_up(self) -> None:
        if self._parents:
            parents, self._parents = self._parents, set()
            try:
                await families.roll_up(self._db, sorted(parents))
            except BaseException:
                self._parents |= parents
                raise

    async def _do_chores(self) -> None:
        if self._served:
            await self._advance()
        chores = await maintenance.chores(self._db, self._clock.now())
        if chores.claims:
            self._wake.now()
        if chores.retries and await lifecycle.execute(self._db, lifecycle.promote()):
            self._wake.now()
        if chores.losses and self._leases.may_sweep:
            await maintenance.recover_lost(self._db)
        if chores.families and (now := time.monotonic()) - self._families_at >= FAMILIES_SECONDS:
            self._families_at = now
            await families.roll_up(self._db)

    async def _sweep_orphans(self) -> None:
        await families.cancel_children_of_ended_parents(self._db)

    async def _read_clock(self) -> None:
        await self._clock.read(self._db)

    async def _heartbeat(self) -> None:
        now = self._clock.now()
        await self._workers.update_one(
            {"_id": self.identity.owner},
            {
                "$set": {
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "cluster": self.identity.cluster,
                    "heartbeatAt": now,
                    "slots": self.settings.worker_concurrency,
                    "running": len(self.attempts),
                    "draining": self._draining.is_set(),
                    "types": registry.known_types(),
                },
                "$setOnInsert": {"startedAt": now},
            },
            upsert=True,
        )
        await self._turns.refresh()


async def _end(duties: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their ends. More than once: the driver's change stream takes a cancellation for a lost connection, now and then."""
    for _ in range(CANCEL_ROUNDS):
        for duty in duties:
            duty.cancel()
        _, duties = await asyncio.wait(duties, timeout=EXIT_RESERVE_SECONDS / CANCEL_ROUNDS)
        if not duties:
            return
    log.warning("duties_left_behind", duties=sorted(duty.get_name() for duty in duties))


def run_worker(identity: Identity, beat: Callable[[], None], orphaned: Callable[[], bool]) -> None:
    """Run a worker in this process, which ends with it, until it is told to stop.

    Args:
        beat: Called several times a second by the event loop: a loop that is blocked falls silent, and the guard replaces the process.
        orphaned: Whether the process that guards this one is gone.
    """
    # Not asyncio.run: it does not return before every coroutine has ended and every thread of `asyncio.to_thread`, and some of somebody's work may never end.
    loop = asyncio.new_event_loop()
    life = loop.create_task(Worker(identity, task_settings(), beat, orphaned).run())
    while True:
        try:
            return loop.run_until_complete(life)
        except SystemExit:
            if life.done():
                raise
            # Of a coroutine that somebody's work has begun beside its own: who waits for that hears of it, and nobody else should.
            log.exception("exit_called", worker=identity.owner)
