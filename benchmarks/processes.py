"""Processes that are measured: started in a group of their own, ended as that group; their processor time and memory, from /proc."""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_TICKS = os.sysconf("SC_CLK_TCK")


class Group:
    """A program with everything it starts.

    Args:
        output: Where its output goes; shown by `tail`.
        user: Run as this user instead (PostgreSQL refuses root).
        stop_with: The signal that asks the program itself, not its group, to end.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: Path,
        user: str | None = None,
        stop_with: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 20.0,
    ) -> None:
        self._output = output
        self._stop_with = stop_with
        self._stop_seconds = stop_seconds
        self._file: IO[bytes] = output.open("ab")
        who: dict[str, object] = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        self._process = subprocess.Popen(  # type: ignore[call-overload]
            list(command), cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=self._file, stderr=self._file, start_new_session=True, **who
        )

    @property
    def pid(self) -> int:
        """The first process's id, which is the group's."""
        return int(self._process.pid)

    @property
    def has_ended(self) -> bool:
        """Whether the first process has ended. It is not reaped yet, so that its group's id is nobody else's."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def pids(self) -> list[int]:
        """Return the ids of its processes that live."""
        return tree(self.pid)

    def tail(self, lines: int = 15) -> str:
        """Return the end of its output."""
        return "\n".join(self._output.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Ask it to end, wait, and end whatever is left of its group."""
        if self._process.returncode is None:
            if not self.has_ended:
                os.kill(self.pid, self._stop_with)
            deadline = time.monotonic() + self._stop_seconds
            while not self.has_ended and time.monotonic() < deadline:
                time.sleep(0.02)
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait(10)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def tree(*roots: int) -> list[int]:
    """Return these processes and all their descendants that live."""
    found: list[int] = []
    left = list(roots)
    while left:
        pid = left.pop()
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                left += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
            found.append(pid)
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that these processes have used, their threads included; those that have ended count nothing."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return total / _TICKS


def pss_mib(pids: Iterable[int]) -> float:
    """Return the memory of these processes in MiB: their proportional set sizes, so that what they share counts once."""
    kib = 0
    for pid in pids:
        with suppress(OSError):
            kib += next(int(line.split()[1]) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    return kib / 1024
