"""Worker clusters under a supervisor: a main process that has ended is started again, as an operating system's service manager would."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ainoval import mongo
from benchmarks.torture.ground import Ground
from tasks_app.documents import WORKERS
from tests.support.cluster import Cluster, children, is_running

Json = dict[str, Any]

LEASE_SECONDS = 3.0
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process of ours: `kind` is main, sentinel or worker; `cluster` is the number of its cluster."""

    kind: str
    pid: int
    cluster: int


class Fleet:
    """Some clusters, each guarded by a supervisor.

    Args:
        workers: Worker processes of each cluster.
        settings: Environment of all of them; `per_cluster` adds to it for each.
        prefixes: What is put before each one's command.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        clusters: int = 2,
        workers: int = 2,
        per_cluster: list[dict[str, str]] | None = None,
        prefixes: list[list[str]] | None = None,
        **settings: str,
    ) -> None:
        self.ground = ground
        self.workers_each = workers
        self.restarts = 0
        self._starts = 0
        base = {
            "DJANGO_SETTINGS_MODULE": "benchmarks.torture.settings",
            "AINOVAL_LOG_LEVEL": "WARNING",
            "TASKS_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
            "TASKS_SHUTDOWN_GRACE": f"{GRACE_SECONDS:g}",
            "TASKS_WORKERS": str(workers),
        }
        self._prefixes = prefixes or [[] for _ in per_cluster or range(clusters)]
        self._settings = [base | settings | more for more in per_cluster or [{}] * clusters]
        self.clusters: list[Cluster] = []
        self._supervisor: asyncio.Task[None] | None = None

    def _start(self, number: int) -> Cluster:
        self._starts += 1
        return Cluster(self.ground.folder / f"cluster-{number}-{self._starts}.log", prefix=self._prefixes[number], **self._settings[number])

    async def __aenter__(self) -> Self:
        self.clusters = [self._start(number) for number in range(len(self._settings))]
        try:
            await self.ready()
        except BaseException:
            await self.stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def ready(self, seconds: float = 60.0) -> None:
        """Wait until every cluster's workers have reported."""
        deadline = time.monotonic() + seconds
        while not all([await self.is_ready(number) for number in range(len(self.clusters))]):
            if time.monotonic() > deadline:
                raise RuntimeError("the workers did not report:\n" + "\n".join(cluster.tail(15) for cluster in self.clusters))
            await asyncio.sleep(0.1)

    async def is_ready(self, number: int) -> bool:
        """Whether a cluster has all of its workers, and they have reported."""
        pids = set(self.clusters[number].workers)
        if len(pids) < self.workers_each:
            return False
        try:
            return await mongo.database()[WORKERS].count_documents({"pid": {"$in": sorted(pids)}}) >= self.workers_each
        except mongo.UNAVAILABLE:
            return False

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            for number, cluster in enumerate(self.clusters):
                if cluster.process.poll() is not None:
                    self.restarts += 1
                    self.clusters[number] = self._start(number)

    async def stop(self, seconds: float = 30.0) -> None:
        """Stop the supervisor, then every cluster, as at a shutdown of the machine."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        for cluster in self.clusters:
            cluster.terminate()
        await asyncio.gather(*(asyncio.to_thread(cluster.__exit__, None, None, None) for cluster in self.clusters))

    def processes(self) -> list[Process]:
        """Return the processes that run now."""
        found = []
        for number, cluster in enumerate(self.clusters):
            if not is_running(cluster.pid):
                continue
            found.append(Process("main", cluster.pid, number))
            for sentinel in filter(is_running, children(cluster.pid)):
                found.append(Process("sentinel", sentinel, number))
                found += [Process("worker", pid, number) for pid in children(sentinel) if is_running(pid)]
        return found

    async def owners(self) -> dict[int, str]:
        """Return the name under which each living worker holds its leases, by its process id."""
        living = {process.pid for process in self.processes() if process.kind == "worker"}
        found = mongo.database()[WORKERS].find({"pid": {"$in": sorted(living)}}, {"pid": 1}).sort("startedAt", 1)
        return {doc["pid"]: doc["_id"] async for doc in found}


async def until(condition: Callable[[], Any], *, seconds: float, every: float = 0.1) -> bool:
    """Wait until `condition()` (plain or async) holds; return whether it did within `seconds`. A database that is away does not hold."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
        except mongo.UNAVAILABLE:
            value = False
        if value:
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(every)
