"""One mongod on one folder: adopt it or start it, wait until it takes writes, end it. All under the start lock."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ainoval.mongod.binary import find_binary
from ainoval.mongod.errors import MongodUnavailable
from ainoval.mongod.folder import Folder
from ainoval.mongod.ports import free_port, is_free
from ainoval.mongod.replica_set import REPLICA_SET, become_primary, pid_of_server_at

START_SECONDS = 30.0
STOP_SECONDS = 30.0
# More time where the port has changed: mongod asks at the old one whether that is itself, and waits 30 s for an answer
# if the program that has the port now keeps silent.
MOVE_SECONDS = 45.0
# How long to wait for the old port: an ending mongod unlocks its files some 0.2 s before its sockets are closed.
PORT_SECONDS = 1.0

FLAGS = (
    *("--bind_ip", "127.0.0.1", "--nounixsocket"),
    *("--replSet", REPLICA_SET, "--oplogSize", "128", "--wiredTigerCacheSizeGB", "0.25"),
    # CVE-2025-14847 of the bundled 6.0.5 comes through zlib network compression.
    *("--networkMessageCompressors", "disabled"),
    *("--setParameter", "ttlMonitorSleepSecs=5", "--setParameter", "diagnosticDataCollectionEnabled=false"),
    # Nobody reads the past. By itself the server keeps five minutes of it: each search for due tasks would pass all that were claimed meanwhile.
    *("--setParameter", "minSnapshotHistoryWindowInSeconds=0"),
    # 12 MB on disk instead of 300.
    *("--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=8MB)"),
)

# mongod's exit codes. Source: https://www.mongodb.com/docs/manual/reference/exit-codes/
_EXIT_PORT_TAKEN = 48

_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "GLIBC_TUNABLES")
_LOG_LIMIT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Running:
    """A mongod that serves our folder: its process id and port."""

    pid: int
    port: int

    @property
    def uri(self) -> str:
        """For drivers. By the set's name, not `directConnection`: then they wait for the primary after a restart."""
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}"


def bring_up(folder: Folder, extra_flags: Sequence[str]) -> Running:
    """Adopt the mongod that serves this folder, or start one, and wait until it is a writable primary.

    Raises:
        MongodUnavailable: No binary, died at start, a stranger has the folder, or not primary within 30 s.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        # A loop, because a server may be on its way up (its starter was killed) or down, or die while it is adopted.
        holder, last_port = folder.holder(), folder.port
        if holder is not None:
            running = _adopt(folder, holder)
        elif folder.is_coming_or_going():
            running = None
        else:
            running = _start(folder, extra_flags, deadline)
        if running:
            until = deadline + (MOVE_SECONDS if last_port not in (None, running.port) else 0)
            if become_primary(running.port, lambda: folder.holder() is not None, until):
                return running
        time.sleep(0.02)
    raise MongodUnavailable(
        f"The project's mongod did not answer within {START_SECONDS:.0f} s: see mongod.log in the data folder. "
        "If it still runs, end it and try again: no acknowledged write is lost by that."
    )


def shut_down(folder: Folder) -> bool:
    """End the mongod that serves this folder, cleanly, and wait for it.

    Returns:
        False if there was none, or a stranger's, or it does not end within 30 s.
    """
    pid = folder.holder()
    if not pid or folder.started_pid != pid:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    # Not until the process id is free: that is up to whatever reaps orphans here, and may take seconds.
    while folder.holder() == pid or folder.is_coming_or_going():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    folder.pid_file.unlink(missing_ok=True)
    return True


def _adopt(folder: Folder, holder: int) -> Running | None:
    """The mongod that has the folder, if it is reachable; None: not yet, or no longer."""
    port = folder.port
    if port and pid_of_server_at(port) == holder:
        return Running(holder, port)
    if port and folder.started_pid == holder:
        return None
    if folder.holder() != holder:
        return None
    who = f"process {holder}" if holder else "a process of another container or machine"
    raise MongodUnavailable(
        f"The MongoDB data folder is in use by a mongod that this project did not start ({who}). Stop it, choose another AINOVAL_DATA_DIR, or set MONGODB_URI."
    )


def _start(folder: Folder, extra_flags: Sequence[str], deadline: float) -> Running | None:
    """Start a mongod; None: try again."""
    folder.create()
    binary = find_binary(copy_to=folder.path)
    port = folder.port
    # The same port whenever it is free: clients that lost their server find the next one where it was.
    if port is None or not is_free(port, PORT_SECONDS):
        port = folder.port = free_port()
    code, complaints = _launch(folder, binary, port, extra_flags, deadline)
    holder = folder.holder()
    if code == 0:
        return Running(holder, port) if holder else None
    if code == _EXIT_PORT_TAKEN or holder is not None:  # somebody was faster, this very moment
        return None
    raise MongodUnavailable(f"mongod ended at its start with exit code {code} (see mongod.log in the data folder):\n{complaints}")


def _launch(folder: Folder, binary: Path, port: int, extra_flags: Sequence[str], deadline: float) -> tuple[int, str]:
    """Run `mongod --fork`, which returns when the server listens: its exit code and what it complained of."""
    command = [
        *(str(binary), "--fork", "--logpath", str(folder.log), "--logappend", "--pidfilepath", str(folder.pid_file)),
        *("--dbpath", str(folder.db), "--port", str(port), *FLAGS, *extra_flags),
    ]
    try:
        if folder.log.exists() and folder.log.stat().st_size > _LOG_LIMIT_BYTES:
            folder.log.replace(folder.log.with_suffix(".log.1"))
        with folder.log.open("ab") as log:
            before = log.tell()
            # Nothing of ours goes into the daemon: no lock (close_fds), no terminal, no session, no API key, and no
            # locale (mongod refuses to start with one that is not installed).
            done = subprocess.run(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                close_fds=True,
                start_new_session=True,
                cwd=folder.path,
                env={"LC_ALL": "C"} | {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                timeout=max(1.0, deadline - time.monotonic()),
                check=False,
            )
    except subprocess.TimeoutExpired as exc:
        raise MongodUnavailable(f"mongod was not ready within {START_SECONDS:.0f} s: see mongod.log.") from exc
    except OSError as exc:
        raise MongodUnavailable(f"mongod could not be executed here: {exc.strerror}. Set MONGODB_URI, or install MongoDB.") from exc
    return done.returncode, "" if done.returncode == 0 else _complaints(folder.log, before)


def _complaints(log: Path, offset: int) -> str:
    """The errors in the log from an offset on, or else its last lines: at most eight, each cut at 500 characters."""
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode("utf-8", "replace").splitlines()
    errors = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            errors.append(line)  # the dynamic linker's words, or those of --fork
            continue
        if entry.get("s") in ("E", "F"):
            errors.append(f"{entry.get('msg')} {json.dumps(entry.get('attr', {}), ensure_ascii=False)}")
    return "\n".join(line[:500] for line in (errors or lines)[-8:])
