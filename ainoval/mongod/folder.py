"""`<data folder>/mongod`: the database files, the log, and the notes by which our processes find the server."""

import os
import struct
import sys
from pathlib import Path

from ainoval.mongod.errors import MongodUnavailable

if sys.platform != "win32":
    import fcntl


class Folder:
    """The paths, and what they say about the server. Makes nothing before `create`."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir.absolute() / "mongod"
        self.db = self.path / "db"
        self.log = self.path / "mongod.log"
        self.pid_file = self.path / "pid"
        self._port_file = self.path / "port"

    def create(self) -> None:
        """Make the folders, for this user alone: the server asks nobody for a password.

        Raises:
            MongodUnavailable: They cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.db.mkdir(mode=0o700, exist_ok=True)
            writable = os.access(self.path, os.W_OK) and os.access(self.db, os.W_OK)
        except OSError as exc:
            raise _unusable(exc.strerror) from exc
        if not writable:
            raise _unusable("it is not writable")

    def open_lock(self, name: str) -> int:
        """Open, or make, a file to take locks on: its descriptor, which no other program inherits.

        Raises:
            MongodUnavailable: It cannot be opened.
        """
        try:
            return os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise _unusable(exc.strerror) from exc

    def holder(self) -> int | None:
        """The process that has the database files open, or None; 0 for one of another container, invisible from here.

        Asks the kernel who holds WiredTiger's lock: a stale file, or a process id used again by another program, cannot
        deceive it. Takes no lock, so that a mongod starting at this moment is not disturbed.
        """
        try:
            fd = os.open(self.db / "WiredTiger.lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            kind, pid = _who_prevents_writing(fd)
        finally:
            os.close(fd)
        return None if kind == fcntl.F_UNLCK else max(pid, 0)

    def is_coming_or_going(self) -> bool:
        """Whether a mongod has the folder although `holder` sees none: one in its first or last tenth of a second.

        Takes mongod's own lock for a moment: only for somebody about to start one.
        """
        try:
            fd = os.open(self.db / "mongod.lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            fcntl.flock(fd, fcntl.LOCK_UN)
            return False
        finally:
            os.close(fd)

    @property
    def port(self) -> int | None:
        """The port of the last start, or None."""
        return _read_number(self._port_file, highest=65535)

    @port.setter
    def port(self, port: int) -> None:
        unfinished = self._port_file.with_suffix(".new")
        unfinished.write_text(f"{port}\n", "ascii")
        unfinished.replace(self._port_file)

    @property
    def started_pid(self) -> int | None:
        """The process that we last started here, dead or alive, or None."""
        return _read_number(self.pid_file, highest=2**31)


def _unusable(why: str | None) -> MongodUnavailable:
    return MongodUnavailable(f"The MongoDB data folder cannot be used: {why or 'unknown error'}. Set AINOVAL_DATA_DIR to a writable folder.")


def _read_number(file: Path, *, highest: int) -> int | None:
    try:
        number = int(file.read_text("ascii").strip())
    except (OSError, ValueError):
        return None
    return number if 0 < number <= highest else None


def _who_prevents_writing(fd: int) -> tuple[int, int]:
    """`F_GETLK` for the whole file: the kind of lock in the way (`F_UNLCK`: none), and its owner's process id."""
    # struct flock. Source: fcntl(2) of 64-bit Linux; of macOS and the BSDs, which have another order.
    if sys.platform == "linux":
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    else:
        asked = struct.pack("qqihh", 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
        _, _, pid, kind, _ = struct.unpack("qqihh", fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    return kind, pid
