"""Which processes use the server: each holds a shared file lock for its life; who finds itself alone stops mongod.

The locks are `flock`s: they belong to the open file, so forked children keep their parent's alive until the last of
them has ended, and the kernel releases them whatever kills a process. Two files: `users.lock` (shared, for life) and
`start.lock` (exclusive, while starting or stopping). Nothing waits for `users.lock`: it is only ever taken under
`start.lock`, so a process that comes while the last one is stopping the server waits at the door, then starts it anew.
"""

import atexit
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ainoval.mongod.errors import MongodUnavailable
from ainoval.mongod.folder import Folder
from ainoval.mongod.replica_set import pid_of_server_at
from ainoval.mongod.server import MOVE_SECONDS, START_SECONDS, STOP_SECONDS, Running, bring_up, shut_down

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Use:
    owner: int  # the process that asked; a forked child inherits the record, and the lock, but not the duty
    lock: int
    running: Running


_uses: dict[Path, _Use] = {}
_thread_lock = threading.RLock()


def ensure_running(data_dir: Path, *, extra_flags: Sequence[str] = ()) -> str:
    """Start the data folder's mongod, or join those who use it, and say where it is.

    Repeat at will: while the server lives that costs microseconds, and a server that was killed is started again, on
    the same port if that is free. The last process to exit that called this stops the server. One that is killed cannot
    (and a multiprocessing child, or a fork that never called this, need not): then the server stays, and the next
    call adopts it.

    Args:
        data_dir: Its files go into the folder `mongod` in it.
        extra_flags: More arguments for mongod, if it has to be started.

    Returns:
        The URI of a replica set with a writable primary.

    Raises:
        MongodUnavailable: There is no server, and the message says what to do.
    """
    if sys.platform == "win32":
        raise MongodUnavailable("On Windows this project does not start MongoDB itself: set MONGODB_URI.")
    folder = Folder(data_dir)
    with _thread_lock:
        use = _uses.get(folder.path)
        if use and use.owner == os.getpid() and folder.holder() == use.running.pid:
            return use.running.uri
        folder.create()
        with _start_lock(folder):
            lock = use.lock if use and use.owner == os.getpid() else folder.open_lock("users.lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_SH)  # at once: exclusive holders have the start lock
                running = bring_up(folder, extra_flags)
            except BaseException:
                os.close(lock)
                _uses.pop(folder.path, None)
                _shut_down_if_unused(folder)  # Ctrl-C between its start and its being a primary, say
                raise
        if use and use.lock != lock:
            os.close(use.lock)  # inherited from the parent, which has its own
        _uses[folder.path] = _Use(os.getpid(), lock, running)
        _stop_at_exit()
        return running.uri


def stop_if_last(data_dir: Path) -> bool:
    """Give up this process's use of the server, and shut it down if nobody else uses it.

    Returns:
        True if the server was shut down by this call.
    """
    folder = Folder(data_dir)
    with _thread_lock:
        use = _uses.get(folder.path)
        if use and use.owner != os.getpid():
            use = None
        if not folder.path.exists():
            return use is not None and _end_the_bereaved(folder, use)
        with _start_lock(folder):
            if use:
                os.close(use.lock)
                del _uses[folder.path]
            return _shut_down_if_unused(folder)


def running_pid(data_dir: Path) -> int | None:
    """The process id of the mongod that has the data folder open, or None. Asks the kernel; waits for nothing."""
    return Folder(data_dir).holder() or None


@contextmanager
def _start_lock(folder: Folder) -> Iterator[None]:
    lock = folder.open_lock("start.lock")
    deadline = time.monotonic() + START_SECONDS + MOVE_SECONDS + STOP_SECONDS
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise MongodUnavailable("Another process has been starting or stopping MongoDB for minutes: end it and try again.") from None
                time.sleep(0.01)
        yield
    finally:
        _release(lock)


def _shut_down_if_unused(folder: Folder) -> bool:
    # By a fresh lock: our own would turn exclusive even while forked children share it.
    lock = folder.open_lock("users.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return shut_down(folder)
    finally:
        _release(lock)


def _end_the_bereaved(folder: Folder, use: _Use) -> bool:
    """End a server whose folder was deleted while it ran (a temporary one): it has nothing left to lose."""
    os.close(use.lock)
    del _uses[folder.path]
    if pid_of_server_at(use.running.port) != use.running.pid:
        return False
    os.kill(use.running.pid, signal.SIGTERM)
    return True


def _release(lock: int) -> None:
    # Closing alone would leave it locked as long as a child lives that another thread has forked meanwhile.
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


_registered_by = 0


def _stop_at_exit() -> None:
    global _registered_by
    # multiprocessing's children end when their parent says so; the parent, or the next to come, is the last.
    if _registered_by != os.getpid() and multiprocessing.parent_process() is None:
        _registered_by = os.getpid()
        atexit.register(_at_exit, _registered_by)


def _at_exit(owner: int) -> None:
    if owner != os.getpid():
        return
    for path, use in list(_uses.items()):
        if use.owner == owner:
            try:
                stop_if_last(path.parent)
            except Exception:
                logger.warning("mongod could not be stopped at exit", exc_info=True)


def _after_fork_in_child() -> None:
    global _thread_lock
    _thread_lock = threading.RLock()  # another thread may have held it


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
