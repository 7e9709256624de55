"""The servers that the peers need, each with its default configuration, on a port and in a folder of its own, gone afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from benchmarks.processes import Group

POSTGRES_PLACES = "/usr/lib/postgresql"


@dataclass(frozen=True)
class Server:
    """A running server: what clients are told, and its processes."""

    address: str
    group: Group


def redis_program() -> str | None:
    """Return where redis-server is, if it is installed."""
    return shutil.which("redis-server")


def postgres_programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`: on the PATH, or where Debian keeps them."""
    if shutil.which("initdb") and (found := shutil.which("postgres")):
        return Path(found).parent
    places = sorted(Path(POSTGRES_PLACES).glob("*/bin/postgres"))
    return places[-1].parent if places else None


@contextmanager
def redis() -> Iterator[Server]:
    """Run Redis as it comes, without persistence (no snapshots, no append-only file): nothing of a task survives its end."""
    program = redis_program()
    if program is None:
        raise SystemExit("redis-server is not installed")
    folder = Path(tempfile.mkdtemp(prefix="ainoval-bench-redis-"))
    port = _free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    try:
        with Group(command, cwd=folder, env=os.environ, output=folder / "redis.log") as group:
            _wait_for_port(port, group)
            yield Server(f"redis://127.0.0.1:{port}/0", group)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[Server]:
    """Run PostgreSQL as initdb sets it up (fsync and synchronous_commit on), on loopback only."""
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed")
    user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="ainoval-bench-postgres-"))
    port = _free_port()
    try:
        if user:
            shutil.chown(folder, user)
        who: dict[str, object] = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        init = [str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", "bench", "--auth", "trust", "--encoding", "UTF8"]
        subprocess.run(init, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=60, **who)  # type: ignore[call-overload]
        command = [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-h", "127.0.0.1", "-k", ""]
        with Group(command, cwd=folder, env=environment, output=folder / "postgres.log", user=user, stop_with=SIGINT) as group:
            _wait_for_port(port, group)
            yield Server(f"host=127.0.0.1 port={port} user=bench dbname=postgres", group)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> str | None:
    """Return whom PostgreSQL runs as; None: as we do, who are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, group: Group) -> None:
    deadline = time.monotonic() + 20
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if group.has_ended or time.monotonic() > deadline:
            raise SystemExit(f"a server did not start:\n{group.tail()}")
        time.sleep(0.02)
