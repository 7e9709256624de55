"""One program that we started: a session of its own, its output in a file, and an end that takes all of its family with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ainoval.development import leash

LOG_LIMIT_BYTES = 8 * 1024 * 1024


class Child:
    """A running program.

    Args:
        name: For people.
        command: The program by its path, and its arguments.
        log: Where its output goes, appended; a file past 8 MiB is put aside first.
        environment: All of it.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            self.log_start = output.tell()
            # -I -S: nothing of the environment or the installation is looked at before the command itself starts.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C in the terminal is for us; we tell our children in order
            )

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    @property
    def ending(self) -> str | None:
        """How it ended, in words; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, and every process it had started as well."""
        return self._process.poll() is not None and not _has_living_members(self.pid)

    def terminate(self) -> None:
        """Ask it to stop. Its own children are its business, unless it has left them behind."""
        if self._process.poll() is None:
            self._process.terminate()
        else:
            self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started, at once."""
        self._signal_group(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)

    def _signal_group(self, signum: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signum)


def _has_living_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # In a container without a process that reaps, orphans stay as zombies for ever: those do not count.
    processes = list(Path("/proc").glob("[0-9]*/stat"))
    return any(_is_living_member(stat, group) for stat in processes) if processes else True


def _is_living_member(stat: Path, group: int) -> bool:
    try:
        # "pid (name) state parent group …", and the name may contain anything. Source: proc_pid_stat(5)
        state, _, its_group = stat.read_bytes().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in (b"Z", b"X")
