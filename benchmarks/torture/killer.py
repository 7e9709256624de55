"""Kills processes of a fleet, one each two seconds, of every kind, and notes whom it killed and when."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from ainoval import mongo
from benchmarks.torture.fleet import Fleet, Process
from tasks_app.documents import TASKS
from tests.support.cluster import is_running

# Ten kills: what is drawn until all are used up, so that each kind has its share whatever the seed. Some of the idle ones have begun to work when they die.
DECK = ("busy worker",) * 3 + ("idle worker",) * 4 + ("sentinel",) * 2 + ("main",)
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 1.5
SPARED_LOSSES = 2  # a third loss is a poisonous task's end: the storm must not make one of an innocent


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL: `owner` is under what name a worker held its leases; times by this machine's clock, which is the server's."""

    kind: str
    pid: int
    owner: str | None
    at: datetime


class Killer:
    """Kills until told to stop.

    Args:
        every: Seconds from one kill to the next.
    """

    def __init__(self, fleet: Fleet, rng: random.Random, *, every: float = 2.0) -> None:
        self.kills: list[Kill] = []
        self.orphan_seconds = 0.0  # the longest that a worker lived on after its sentinel or main process
        self._fleet = fleet
        self._rng = rng
        self._every = every
        self._deck: list[str] = []
        self._bereaved: dict[int, float] = {}

    def count(self, *kinds: str) -> int:
        """Return how many were killed, of these kinds or of all."""
        by_kind = Counter(kill.kind for kill in self.kills)
        return sum(by_kind[kind] for kind in kinds) if kinds else by_kind.total()

    async def run(self, kills: int) -> None:
        """Kill so often, unless cancelled before."""
        while len(self.kills) < kills:
            next_at = time.monotonic() + self._every
            await self._kill_one()
            while time.monotonic() < next_at:
                self._watch_the_bereaved()
                await asyncio.sleep(LOOK_SECONDS)

    async def _kill_one(self) -> None:
        if not self._deck:
            self._deck = list(DECK)
            self._rng.shuffle(self._deck)
        for kind in dict.fromkeys(reversed(self._deck)):
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline:
                self._watch_the_bereaved()
                with suppress(*mongo.UNAVAILABLE):
                    if await self._kill_a(kind):
                        self._deck.reverse()
                        self._deck.remove(kind)
                        self._deck.reverse()
                        return
                await asyncio.sleep(LOOK_SECONDS)

    async def _kill_a(self, kind: str) -> bool:
        if kind.endswith("worker"):
            return await self._kill_a_worker(busy=kind.startswith("busy"))
        candidates = [process for process in self._fleet.processes() if process.kind == kind]
        self._rng.shuffle(candidates)
        for process in candidates:
            # One cluster at a time is without workers: with none at all there is nothing to measure but how fast an interpreter starts.
            others = [number for number in range(len(self._fleet.clusters)) if number != process.cluster]
            if all([await self._fleet.is_ready(number) for number in others]):
                workers = [p.pid for p in self._fleet.processes() if p.cluster == process.cluster and p.kind == "worker"]
                self._kill(kind, process, None)
                self._bereaved |= dict.fromkeys(workers, time.monotonic())
                return True
        return False

    async def _kill_a_worker(self, *, busy: bool) -> bool:
        owners = await self._fleet.owners()
        held: Counter[str] = Counter()
        spared = set()
        leased = {"status": {"$in": ["RUNNING", "CANCELLING"]}, "lease.owner": {"$gt": ""}}
        async for task in mongo.database()[TASKS].find(leased, {"lease.owner": 1, "crashCount": 1}, hint="active"):
            held[task["lease"]["owner"]] += 1
            if task["crashCount"] >= SPARED_LOSSES:
                spared.add(task["lease"]["owner"])
        candidates = [
            process for process in self._fleet.processes() if process.kind == "worker" and process.pid in owners and owners[process.pid] not in spared
        ]
        candidates = [process for process in candidates if (held[owners[process.pid]] > 0) == busy]
        if not candidates:
            return False
        process = self._rng.choice(candidates)
        self._kill("busy worker" if busy else "idle worker", process, owners[process.pid])
        return True

    def _kill(self, kind: str, process: Process, owner: str | None) -> None:
        with suppress(ProcessLookupError):
            at = datetime.now(UTC)
            os.kill(process.pid, signal.SIGKILL)
            self.kills.append(Kill(kind, process.pid, owner, at))

    def _watch_the_bereaved(self) -> None:
        for pid, since in list(self._bereaved.items()):
            self.orphan_seconds = max(self.orphan_seconds, time.monotonic() - since)
            if not is_running(pid):
                del self._bereaved[pid]
