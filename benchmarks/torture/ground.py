"""Where a scenario runs: a folder of its own, a MongoDB of its own on disk, and the same Django settings here as in every process it starts.

Import this before anything of the project: the settings are read once, and nothing of the developer's shell may take part in them.
"""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import tests.support.environment  # noqa: F401 - clears the environment of this project's settings
from benchmarks.processes import Group

ROOT = Path(__file__).resolve().parents[2]

MARK = "TORTURE_RUN"  # in the environment of every process we start, so that whoever is left behind is found


@dataclass(frozen=True, slots=True)
class Ground:
    """The folder, and the mark that all processes of this run carry."""

    folder: Path
    mark: str

    @property
    def data_dir(self) -> Path:
        """What the processes have as AINOVAL_DATA_DIR."""
        return self.folder / "var"

    def run(self, *command: str, name: str, **settings: str) -> Group:
        """Start a program of the project."""
        return Group(command, cwd=ROOT, env=os.environ | settings, output=self.folder / f"{name}.log")


@contextmanager
def folder() -> Iterator[Ground]:
    """Make the folder, and remove it at the end."""
    mark = os.environ.get(MARK) or uuid.uuid4().hex
    path = Path(tempfile.gettempdir()) / f"ainoval-torture-{mark}"
    path.mkdir(mode=0o700)
    try:
        yield Ground(path, mark)
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def prepared(ground: Ground, *apps: str, mongodb_uri: str = "") -> Iterator[None]:
    """Set up Django, its tables, and a MongoDB with its indexes; stop it at the end.

    Args:
        apps: More apps for this process and those it starts (`faults`, `controls`, …): see `benchmarks.torture.settings`.
        mongodb_uri: A replica set to use instead of the project's own server.
    """
    os.environ |= {
        "AINOVAL_DATA_DIR": str(ground.data_dir),
        "AINOVAL_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "benchmarks.torture.settings",
        # The harness submits for many users, as fast as it can; what is limited in a scenario is limited by its own settings.
        "TASKS_MAX_RUNNING_PER_USER": "0",
        "TASKS_SUBMIT_RATE": "0",
        "TASKS_MAX_QUEUED_PER_USER": "1000000",
        "TORTURE_APPS": ",".join(apps),
        "TORTURE_FAULTS": str(ground.folder / "faults"),
        MARK: ground.mark,
    }
    if mongodb_uri:
        os.environ["MONGODB_URI"] = mongodb_uri
    import django

    django.setup()
    from django.core.management import call_command

    from ainoval import indexes, mongo, mongod

    try:
        call_command("migrate", verbosity=0)
        indexes.ensure_indexes()
        yield
    finally:
        mongo.disconnect()
        mongod.stop_if_last(ground.data_dir)


def clear_up(mark: str) -> None:
    """Remove what a run has left that did not come to its end: its processes, its MongoDB and its folder."""
    from ainoval import mongod

    for pid in marked(mark):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    path = Path(tempfile.gettempdir()) / f"ainoval-torture-{mark}"
    with suppress(mongod.MongodUnavailable):
        mongod.stop_if_last(path / "var")
    shutil.rmtree(path, ignore_errors=True)


def marked(mark: str) -> set[int]:
    """Return the processes that carry this mark, but for this one and those before it."""
    found = set()
    ours = {os.getpid(), os.getppid()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in ours:
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is somebody else's
        if f"{MARK}={mark}".encode() in environment.split(b"\0"):
            found.add(int(entry.name))
    return found


def left_behind(mark: str) -> list[str]:
    """Return who carries this mark: a process id, its parent's, and its command."""
    return [_described(pid) for pid in sorted(marked(mark))]


def _described(pid: int) -> str:
    try:
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        return f"{pid} under {parent}: {Path(f'/proc/{pid}/cmdline').read_text().replace(chr(0), ' ').strip()}"
    except OSError:
        return f"{pid}, gone since"
