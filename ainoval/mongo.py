"""Connections to MongoDB: one client for each event loop, one loop for the synchronous code of a process, all made after fork.

All code of ours that talks to MongoDB is async and takes the client of the loop it runs on. Synchronous edges (views, commands, the admin) hand a
coroutine to `run`, which executes it on one loop of the process (a server's own, else one in the background): so there is one way to write a query, and
edges share one connection pool.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakKeyDictionary

import mongoengine
from bson.codec_options import CodecOptions
from django.conf import settings
from pymongo import AsyncMongoClient, MongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    CursorNotFound,
    DuplicateKeyError,
    ExecutionTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from ainoval import mongod

T = TypeVar("T")
Json = dict[str, Any]

UNAVAILABLE: tuple[type[Exception], ...] = (
    ConnectionFailure,  # with AutoReconnect, NetworkTimeout, ServerSelectionTimeoutError, WaitQueueTimeoutError
    AutoReconnect,
    NotPrimaryError,
    ExecutionTimeout,
    WaitQueueTimeoutError,
    WriteConcernError,  # of WTimeoutError, and of who waited for a majority when the primary stepped down or ended: it may be undone yet
    CursorNotFound,  # of a server that was restarted meanwhile
    mongod.MongodUnavailable,
)
"""Driver errors that mean "MongoDB cannot be reached now": nothing was wrong with the request, and it may have been executed. See `is_unavailable`."""

# A task that was accepted must survive the loss of power a moment later; without the journal a kill -9 of mongod loses acknowledged inserts.
DURABLE = WriteConcern(w="majority", j=True)
# For hints that a sweep repairs (heartbeats, fair-share counters): not worth a wait for the disk.
HINT = WriteConcern(w=1, j=False)

CODEC: CodecOptions[Json] = CodecOptions(tz_aware=True)

DUPLICATE_KEY = 11000

# What the promises rest on: not for a URI to change.
_FIXED: Json = {
    "tz_aware": True,
    "uuidRepresentation": "standard",
    "w": "majority",
    "journal": True,
    "retryWrites": True,
    "retryReads": True,
    # Leases are counted and claimed where they are written: a secondary that lags would let a limit be passed. Not by its name, with which a URI's
    # readPreferenceTags would go together.
    "read_preference": ReadPreference.PRIMARY,
}
# What an operator may know better, and say in the URI.
_UNLESS_THE_URI_SAYS: Json = {
    "serverSelectionTimeoutMS": 3_000,
    "connectTimeoutMS": 3_000,
    "socketTimeoutMS": 30_000,
    "waitQueueTimeoutMS": 10_000,
    "maxPoolSize": 100,
    "appname": "ainoval",
}

_databases: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncDatabase[Json]] = WeakKeyDictionary()
_database_name: str | None = None


def is_unavailable(error: BaseException) -> bool:
    """Whether an error means that MongoDB cannot be reached now: one of UNAVAILABLE, or one that says so not by its class but by what is in it."""
    match error:
        case BulkWriteError():
            # What was written and is not acknowledged by a majority may be undone yet; what was refused is another matter.
            return bool(error.details.get("writeConcernErrors")) and not error.details.get("writeErrors")
        case PyMongoError():
            return isinstance(error, UNAVAILABLE) or error.has_error_label("RetryableWriteError")
    return isinstance(error, UNAVAILABLE)


@cache
def uri() -> str:
    """Return where MongoDB is: `MONGODB_URI`, or this project's own embedded server, started if need be.

    Raises:
        MongodUnavailable: No server is configured and none can be started; the message says what to do.
    """
    configured = settings.AINOVAL.mongodb_uri
    return configured.get_secret_value() if configured else mongod.ensure_running(settings.AINOVAL.data_dir)


def client_options(for_uri: str) -> Json:
    """Return the options of each client, without those that the URI sets and may set."""
    said = {name.lower() for name, _ in parse_qsl(urlsplit(for_uri).query, keep_blank_values=True)}
    return _FIXED | {name: value for name, value in _UNLESS_THE_URI_SAYS.items() if name.lower() not in said}


def database_name() -> str:
    """Return the database's name: `MONGODB_DATABASE`, unless `use_database` named another."""
    return _database_name or settings.AINOVAL.mongodb_database


def use_database(name: str | None) -> None:
    """Make this process use another database (tests have one of their own each); None goes back to the setting."""
    global _database_name, _sync_client
    _database_name = name
    # MongoEngine's documents remember their collection.
    mongoengine.disconnect_all()
    _sync_client = None


def database() -> AsyncDatabase[Json]:
    """Return the database through the running event loop's own client; writes are majority and journaled."""
    loop, name = asyncio.get_running_loop(), database_name()
    found = _databases.get(loop)
    if found is None or found.name != name:
        client: AsyncMongoClient[Json] = found.client if found is not None else AsyncMongoClient(uri(), **client_options(uri()))
        found = _databases[loop] = client[name]
    return found


async def close() -> None:
    """Close the running loop's client; the next `database()` opens a new one."""
    found = _databases.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.client.close()


async def write_once(db: AsyncDatabase[Json], command: Json) -> Json:
    """Execute a write command with the database's write concern, and return the reply. The driver does not repeat it, and so MongoDB need not record, beside
    the write, by what a repeat would be known.

    Raises:
        DuplicateKeyError, OperationFailure: It was refused.
        WriteConcernError: It was executed, and is not acknowledged by a majority.
        Other errors of the driver: It may have been executed.
    """
    reply: Json = await db.command(command | {"writeConcern": db.write_concern.document}, codec_options=db.codec_options)
    if error := reply.get("writeConcernError"):
        raise WriteConcernError(error["errmsg"], error["code"], error | {"errorLabels": reply.get("errorLabels", [])})
    for error in reply.get("writeErrors", []):
        raise write_error(error)
    return reply


def may_be_repeated(error: PyMongoError) -> bool:
    """Whether a write that failed with this may succeed at once, on another connection or the next primary: what the driver repeats, where it does."""
    waited = isinstance(error, (ServerSelectionTimeoutError, WaitQueueTimeoutError))
    return not waited and (isinstance(error, ConnectionFailure) or error.has_error_label("RetryableWriteError"))


def write_error(error: Json) -> OperationFailure:
    """Return what the driver raises for an entry of a reply's `writeErrors`."""
    return (DuplicateKeyError if error["code"] == DUPLICATE_KEY else OperationFailure)(error["errmsg"], error["code"], error)


class _Portal:
    """The loop on which synchronous code runs coroutines: one in a thread of its own, unless it is given one that runs in this thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.borrowed = loop is not None
        self.loop = loop or asyncio.new_event_loop()
        self.thread = threading.current_thread()
        if not self.borrowed:
            self.thread = threading.Thread(target=self.loop.run_forever, name="mongo-portal", daemon=True)
            self.thread.start()

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        if threading.current_thread() is self.thread:
            coro.close()
            raise RuntimeError("mongo.run() was called on the loop it would wait for: await the coroutine instead")
        future = asyncio.run_coroutine_threadsafe(coro, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        if self.borrowed:
            return  # whose loop it is closes its client
        self.run(close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


_portal: _Portal | None = None
_portal_lock = threading.Lock()
_sync_client: MongoClient[Json] | None = None


def lend(loop: asyncio.AbstractEventLoop) -> None:
    """Let `run` execute on this loop, which runs in the calling thread: a server's requests then change threads half as often."""
    global _portal
    with _portal_lock:
        if _portal is None:
            _portal = _Portal(loop)


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from synchronous code, on the process's loop for that, and return its result."""
    global _portal
    with _portal_lock:
        if _portal is None or _portal.loop.is_closed():  # a lent loop may end before its process does
            _portal = _Portal()
        portal = _portal
    return portal.run(coro)


def _new_sync_client(**_: Any) -> MongoClient[Json]:
    # connect=False: no thread is started before the first use, so that a fork meanwhile is safe.
    return MongoClient(uri(), connect=False, **client_options(uri()))


def sync_database() -> Database[Json]:
    """Return MongoEngine's database of this process: for its documents, for indexes, and for django-q2's broker."""
    global _sync_client
    if _sync_client is None:
        # MongoEngine is not told the URI: it would let the URI's read preference beat ours, and keep its documents in the database that the URI names.
        _sync_client = mongoengine.connect(database_name(), mongo_client_class=_new_sync_client, uuidRepresentation=_FIXED["uuidRepresentation"])
    return _sync_client[database_name()]


def disconnect() -> None:
    """Close everything this process has open on MongoDB."""
    global _portal, _sync_client
    with _portal_lock:
        if _portal is not None:
            _portal.close()
            _portal = None
    mongoengine.disconnect_all()
    _sync_client = None


def ping() -> bool:
    """Whether MongoDB answers now, as a primary that takes writes."""

    async def hello() -> bool:
        answer = await database().client.admin.command("hello")
        return bool(answer.get("isWritablePrimary"))

    try:
        return run(hello())
    except UNAVAILABLE:
        return False


def _forget_after_fork() -> None:
    # A child's copies of the parent's sockets and threads are not its own: drop them unclosed, so that the parent's stay usable.
    global _portal, _sync_client, _portal_lock, _databases
    _portal = None
    _portal_lock = threading.Lock()
    _databases = WeakKeyDictionary()
    if _sync_client is not None:
        mongoengine.connection._connections.clear()
        mongoengine.connection._dbs.clear()
        mongoengine.connection._connection_settings.clear()
        _sync_client = None


os.register_at_fork(after_in_child=_forget_after_fork)
