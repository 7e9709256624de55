"""Real worker clusters as processes, for tests that kill them: `manage.py qcluster` with the tests' task types, on the test's database."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ainoval import mongo
from tasks_app.documents import TASKS, WORKERS
from tests.support.environment import clean_environment

PROJECT_ROOT = Path(__file__).resolve().parents[2]
KEPT = ("AINOVAL_DATA_DIR", "DJANGO_SECRET_KEY")

SHORT_LEASE = {"TASKS_LEASE_SECONDS": "3", "TASKS_SHUTDOWN_GRACE": "5", "AINOVAL_LOG_LEVEL": "INFO", "AINOVAL_LOG_FORMAT": "json"}
NO_LIMITS = {"TASKS_MAX_RUNNING_PER_USER": "0", "TASKS_SUBMIT_RATE": "0", "TASKS_MAX_QUEUED_PER_USER": "1000000"}


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a process of ours that works on this test's database."""
    kept = {name: os.environ[name] for name in KEPT}
    return clean_environment() | kept | {"DJANGO_SETTINGS_MODULE": "tests.support.settings", "MONGODB_DATABASE": mongo.database_name()} | settings


def manage(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of manage.py to its end."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=PROJECT_ROOT, env=environment(**settings), capture_output=True, text=True, timeout=120, check=False)


def children(pid: int) -> list[int]:
    """Return the living child processes of a process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Cluster:
    """A running `manage.py qcluster`, in a session of its own.

    Args:
        log: Where its log goes.
        prefix: What is put before the command, such as `ip netns exec …`; it must end by becoming the command.
        settings: Environment, over `SHORT_LEASE` and `NO_LIMITS`.
    """

    def __init__(self, log: Path, *, prefix: Sequence[str] = (), **settings: str) -> None:
        self.log = log
        self._file = log.open("ab")
        env = environment(**SHORT_LEASE | NO_LIMITS | {"TASKS_WORKERS": "2"} | settings)
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "manage.py", "qcluster"], cwd=PROJECT_ROOT, env=env, stdout=self._file, stderr=self._file, start_new_session=True
        )
        self._seen: set[int] = set()

    @property
    def pid(self) -> int:
        """The main process's id."""
        return self.process.pid

    @property
    def sentinel(self) -> int:
        """The sentinel's id."""
        return children(self.pid)[0]

    @property
    def workers(self) -> list[int]:
        """The ids of the worker processes that run now."""
        found = [pid for sentinel in children(self.pid) for pid in children(sentinel) if is_running(pid)]
        self._seen.update(found, children(self.pid))
        return found

    async def ready(self, workers: int = 2, seconds: float = 90.0) -> Self:
        """Wait until so many workers have reported."""
        deadline = time.monotonic() + seconds
        while True:
            pids = set(self.workers)
            reported = {doc["pid"] async for doc in mongo.database()[WORKERS].find({}, {"pid": 1})}
            if len(pids & reported) >= workers:
                return self
            assert self.process.poll() is None, f"the cluster has ended:\n{self.tail()}"
            assert time.monotonic() < deadline, f"the workers did not report:\n{self.tail()}"
            await asyncio.sleep(0.05)

    def kill(self, pid: int) -> None:
        """SIGKILL one of its processes."""
        assert pid in {self.pid, *children(self.pid), *self.workers}
        os.kill(pid, signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM to the main process, as a supervisor does."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self, seconds: float = 60.0) -> int:
        """Stop it as a supervisor does; return its exit code."""
        self.workers  # noqa: B018 - remembers who there was
        if self.process.poll() is None:
            self.terminate()
        return self.process.wait(seconds)

    def leftovers(self) -> list[int]:
        """Return its processes that still run (to be asked after its end)."""
        return [pid for pid in self._seen if is_running(pid)]

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # At once, the whole session: what a stop does is tested by those who stop it, and running tasks would only be waited for.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(30)
        self._file.close()


async def count(status: str, **query: Any) -> int:
    """Count this test's tasks in a state."""
    return await mongo.database()[TASKS].count_documents({"status": status, **query})


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Hold a process still (SIGSTOP) for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
