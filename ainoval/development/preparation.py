"""Make the databases ready: MongoDB runs, tables are migrated, indexes exist, users can log in. Cheap when it has been done."""

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ainoval import index_check, indexes, mongo, mongod
from ainoval.development.users import Login, ensure_users

DEV_LOCK = "dev.lock"
PREPARE_LOCK = "prepare.lock"


class AlreadyRunning(Exception):
    """Another `manage.py dev` has this data folder."""


@contextmanager
def only_one(data_dir: Path, url: str) -> Iterator[None]:
    """Hold the data folder's place for the one `manage.py dev`.

    Raises:
        AlreadyRunning: It is taken; the message says by whom.
    """
    with _locked(data_dir / DEV_LOCK, wait=False) as lock:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()}, {url}".encode(), 0)
        yield


def prepare_databases() -> int:
    """Start MongoDB if need be, migrate, create indexes; return how many migrations were applied. Safe in several processes at once."""
    data_dir = settings.AINOVAL.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)
    with _locked(data_dir / PREPARE_LOCK, wait=True):
        mongo.uri()
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            call_command("migrate", verbosity=0, interactive=False)
        if settings.AINOVAL.mongodb_uri is None:
            index_check.drop_different(mongo.sync_database())  # those of an earlier version
        indexes.ensure_indexes()
    connection.close()
    return len(plan)


def prepare_users(names: Collection[str], passwords: Mapping[str, str] = MappingProxyType({})) -> dict[str, Login]:
    """Make users of these names if they are missing; return how they log in. See `ensure_users`."""
    data_dir = settings.AINOVAL.data_dir
    with _locked(data_dir / PREPARE_LOCK, wait=True):
        logins = ensure_users(data_dir, names, passwords)
    connection.close()
    return logins


def release() -> bool:
    """Close our connections; stop the project's own MongoDB if nobody else uses it. Returns whether that was so."""
    connection.close()
    mongo.disconnect()
    return settings.AINOVAL.mongodb_uri is None and mongod.stop_if_last(settings.AINOVAL.data_dir)


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[int]:
    # A lock on a file, not the file itself: the kernel gives it back whatever becomes of us.
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise AlreadyRunning(os.pread(lock, 200, 0).decode("utf-8", "replace")) from None
        yield lock
    finally:
        os.close(lock)
