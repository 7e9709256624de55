"""django-q2's cluster with our worker in it: who starts, guards and stops the processes.

    manage.py qcluster (main) ── sentinel ── worker, worker, …

django-q2's own processes share multiprocessing queues, events and locked values, and whoever is killed while it holds one of their locks stops all others
for ever. Here no two processes share a lock: main and sentinel talk by signals, a worker shows its pulse in a plain shared number, and each process
watches its parent. Tasks come from MongoDB, so there is no pusher and no monitor.
"""

import multiprocessing
import os
import select
import signal
import threading
import time
from multiprocessing.sharedctypes import RawValue
from types import FrameType
from typing import Any
from uuid import UUID

from django import db
from django.utils import timezone
from django_q.cluster import Cluster, Sentinel, get_mp_context
from django_q.conf import Conf
from django_q.signals import post_spawn
from django_q.status import Stat

from ainoval import mongo
from ainoval.collection import freeze_what_is_loaded
from ainoval.logs import get_logger
from tasks_app.conf import task_settings
from tasks_app.worker.broker import MongoBroker
from tasks_app.worker.packages import hand_back_packages, start_package_threads
from tasks_app.worker.worker import Identity, run_worker

BLOCKED_SECONDS = 10.0  # a loop that is silent for so long is taken for dead
STARTING_SECONDS = 60.0
QUICK_DEATH_SECONDS = 2.0
QUICK_DEATH_PAUSE_SECONDS = 1.0
STOP_RESERVE_SECONDS = 0.6  # for handing back; with what the processes need to end, the cluster has gone a second after the grace
TELL_AGAIN_SECONDS = 0.25
STAT_SECONDS = 1.0  # django-q2 keeps it for three

log = get_logger(__name__)


class _Nothing:
    """Stands where django-q2 has a queue, a pusher or a monitor."""

    pid = 0

    def is_alive(self) -> bool:
        return False

    def empty(self) -> bool:
        return True

    def qsize(self) -> int:
        return 0


class _StopFlag:
    """An event that a signal handler may set.

    `threading.Event` is none: its lock is not reentrant, so a second signal that arrives while the first is being noticed waits for ever for the process
    that it interrupts. SIGTERM to the group reaches the sentinel twice within a millisecond.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._hears, self._tells = os.pipe()  # what wakes a wait: a sleep goes on after a signal

    def set(self) -> None:
        if not self._is_set:
            self._is_set = True
            os.write(self._tells, b"!")

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, at most so long; return whether it is."""
        if not self._is_set and select.select([self._hears], [], [], seconds)[0]:
            # Not always our own: a worker that is signalled before it has handlers of its own runs ours, and writes into the same pipe.
            os.read(self._hears, 1)
        return self._is_set


class WorkerProcess:
    """A worker, as its sentinel sees it."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.started_at = time.monotonic()
        self._pulse = RawValue("d", 0.0)  # the monotonic clock is the same for all processes of a machine
        self._process = get_mp_context().Process(
            target=_worker_main,
            args=(identity, self._pulse, os.getpid()),
            name=f"worker-{identity.owner}",
            daemon=False,
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return int(self._process.pid or 0)

    def is_alive(self) -> bool:
        """Whether it runs; reaps it when it does not."""
        return bool(self._process.is_alive())

    def is_blocked(self) -> bool:
        """Whether its event loop has been silent for too long."""
        pulse, now = self._pulse.value, time.monotonic()
        return now - pulse > BLOCKED_SECONDS if pulse else now - self.started_at > STARTING_SECONDS

    def signal(self, signum: int) -> None:
        """Send a signal, if it still runs."""
        if self.is_alive():
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """End it at once; a blocked loop hears nothing softer."""
        self.signal(signal.SIGKILL)
        self._process.join(5)


def _worker_main(identity: Identity, pulse: Any, sentinel_pid: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the loop has handlers of its own
    post_spawn.send(sender="django_q", proc_name=identity.owner)
    stopping = threading.Event()
    start_package_threads(stopping, identity.owner, identity.predecessor)

    def beat() -> None:
        pulse.value = time.monotonic()

    status = 0
    try:
        run_worker(identity, beat, lambda: os.getppid() != sentinel_pid)
    except Exception:
        log.exception("worker_failed", worker=identity.owner)
        status = 1
    finally:
        stopping.set()
        hand_back_packages(identity.owner)
        # Not sys.exit: a thread that hangs in somebody's code must not keep a drained worker from ending.
        os._exit(status)


class TaskSentinel(Sentinel):
    """Starts the workers, replaces the dead and the blocked, and stops them all."""

    def __init__(self, cluster_id: UUID, cluster_pid: int) -> None:
        # Not Sentinel.__init__: it makes the shared queues.
        self.pid = os.getpid()
        self.parent_pid = cluster_pid
        self.cluster_id = cluster_id
        self.name = multiprocessing.current_process().name
        self.broker = MongoBroker(Conf.CLUSTER_NAME)
        self.reincarnations = 0
        self.tob = timezone.now()
        self.start_event, self.stop_event = threading.Event(), _StopFlag()
        self.pool_size = Conf.WORKERS
        self.pool: list[WorkerProcess] = []
        self.timeout = None
        self.task_queue = self.result_queue = self.monitor = self.pusher = _Nothing()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: main tells us what to do
        signal.signal(signal.SIGTERM, lambda *_: self.stop_event.set())

    def start(self) -> None:
        """Guard until told to stop, or until main is gone."""
        for _ in range(self.pool_size):
            self._spawn(None)
        self.start_event.set()
        log.info("cluster_started", cluster=str(self.cluster_id), workers=self.pool_size)
        next_stat = time.monotonic()
        while not self.stop_event.wait(Conf.GUARD_CYCLE):
            if os.getppid() != self.parent_pid:
                log.error("cluster_gone", cluster=str(self.cluster_id))
                break
            self.guard()
            if time.monotonic() >= next_stat:
                next_stat = time.monotonic() + STAT_SECONDS
                Stat(self).save()
        self.stop()

    def guard(self) -> None:
        """Replace workers that have died or whose loop is blocked."""
        for process in list(self.pool):
            if process.is_alive() and not process.is_blocked():
                continue
            blocked = process.is_alive()
            process.kill()
            self.pool.remove(process)
            if self.stop_event.is_set():
                continue  # it was told to stop together with us
            log.error(
                "worker_replaced",
                worker=process.identity.owner,
                pid=process.pid,
                reason="blocked" if blocked else "died",
            )
            if time.monotonic() - process.started_at < QUICK_DEATH_SECONDS:
                time.sleep(QUICK_DEATH_PAUSE_SECONDS)
            # The new worker's first act is to take over what the dead one held.
            self._spawn(process.identity.owner)
            self.reincarnations += 1

    def stop(self) -> None:
        """Let the workers drain; kill what is left after the grace."""
        self.stop_event.set()
        deadline = time.monotonic() + task_settings().shutdown_grace + STOP_RESERVE_SECONDS
        told_at = float("-inf")
        while self.pool:
            if time.monotonic() - told_at > TELL_AGAIN_SECONDS:  # a signal that comes before a new worker has set its handler is lost
                told_at = time.monotonic()
                for process in self.pool:
                    process.signal(signal.SIGTERM)
            self.pool = [process for process in self.pool if process.is_alive()]
            if time.monotonic() > deadline:
                for process in self.pool:
                    log.error("worker_killed_at_stop", worker=process.identity.owner, pid=process.pid)
                    process.kill()
            time.sleep(0.02)
        log.info("cluster_stopped", cluster=str(self.cluster_id))

    def _spawn(self, predecessor: str | None) -> None:
        db.connections.close_all()
        self.pool.append(WorkerProcess(Identity.new(self.cluster_id.hex, predecessor)))


def _sentinel_main(cluster_id: UUID, cluster_pid: int) -> None:
    TaskSentinel(cluster_id, cluster_pid).start()


class TaskCluster(Cluster):
    """The main process: keeps a sentinel alive and passes signals on."""

    def __init__(self) -> None:
        super().__init__()
        self._stopping = False

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        """Ask the cluster to stop; a second signal changes nothing."""
        self._stopping = True
        if self.sentinel is not None and self.sentinel.is_alive():
            os.kill(self.sentinel.pid, signal.SIGTERM)

    def run(self) -> None:
        """Run the cluster until a signal stops it."""
        mongo.uri()  # the embedded server is started once, here; connections are opened in each process, after the fork
        freeze_what_is_loaded()
        while not self._stopping:
            db.connections.close_all()
            self.sentinel = get_mp_context().Process(target=_sentinel_main, args=(self.cluster_id, os.getpid()), name="sentinel")
            self.sentinel.start()
            while self.sentinel.is_alive():
                self.sentinel.join(0.5)
                if self._stopping and self.sentinel.is_alive():
                    os.kill(self.sentinel.pid, signal.SIGTERM)  # again: a signal that came before its handler was set would be lost
            if not self._stopping:
                # Its workers notice that their parent is gone, finish what they have and end; nobody guards them meanwhile.
                log.error("sentinel_replaced", cluster=str(self.cluster_id), exitcode=self.sentinel.exitcode)
                time.sleep(QUICK_DEATH_PAUSE_SECONDS)
        # One more signal while the interpreter ends would kill it before the embedded server is stopped.
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_IGN)
