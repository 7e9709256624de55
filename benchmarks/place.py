"""Where the project is measured: an environment, a data folder and a MongoDB of its own, gone afterwards."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmarks.processes import Group

ROOT = Path(__file__).resolve().parents[1]
STOPPED = 143
"""The exit status after SIGTERM, as shells count it."""

OURS = ("TASKS_", "AINOVAL_", "AI_", "OPENAI_", "MONGODB_", "DATABASE_", "DJANGO_", "JWT_")

# What differs from the defaults, and why: the measured tasks belong to one user, and a figure must not be that user's limit.
SETTINGS = {
    "TASKS_WORKER_CONCURRENCY": "1000",
    "TASKS_MAX_RUNNING_PER_USER": "0",
    "TASKS_SUBMIT_RATE": "0",
    "TASKS_MAX_QUEUED_PER_USER": "1000000",
    "AINOVAL_LOG_LEVEL": "WARNING",
}


class Place:
    """A folder with the project's data and the files that the measured tasks write."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.record = memory / "record"

    def fresh_record(self) -> Path:
        """Forget which executions were recorded."""
        self.record.unlink(missing_ok=True)
        return self.record

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of a process of the project."""
        from benchmarks import record

        return dict(os.environ) | {record.VARIABLE: str(self.record)} | settings

    def mongod(self) -> list[int]:
        """Return the process id of the MongoDB that is used."""
        from ainoval import mongod

        pid = mongod.running_pid(self.data_dir)
        return [pid] if pid else []

    def run(self, *command: str, name: str, **settings: str) -> Group:
        """Start a program of the project."""
        return Group(command, cwd=ROOT, env=self.environment(**settings), output=self.folder / f"{name}.log")


@contextmanager
def prepared() -> Iterator[Place]:
    """Set the environment and Django up, for this process and those it starts; undo everything at the end, also when told to stop."""
    signal.signal(signal.SIGTERM, _stop)
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="ainoval-bench-"))
    memory = Path(tempfile.mkdtemp(prefix="ainoval-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else folder))  # noqa: S108
    place = Place(folder, memory)
    os.environ |= SETTINGS | {"AINOVAL_DATA_DIR": str(place.data_dir), "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    try:
        import django

        django.setup()
        from django.core.management import call_command

        from ainoval import indexes, mongo, mongod

        try:
            call_command("migrate", verbosity=0)
            indexes.ensure_indexes()
            yield place
        finally:
            mongo.disconnect()
            mongod.stop_if_last(place.data_dir)
    finally:
        shutil.rmtree(memory, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(STOPPED)
