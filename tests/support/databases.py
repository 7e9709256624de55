"""Databases for tests: one that all tests of a process share, emptied after each, since making ten collections' indexes takes longer than most tests; and
one of a test's own, for those with processes that may write a moment after their end."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from ainoval import indexes, mongo
from tasks_app import fairness, queries, waiting, waits
from tasks_app.admin import counting
from tasks_app.admin.overview import reading as overview_reading

_name: str | None = None


@contextmanager
def shared_database() -> Iterator[str]:
    """Use the shared database, made with its indexes at the first time, and empty it at the end."""
    global _name
    made, _name = _name is None, _name or f"test_{uuid.uuid4().hex[:16]}"
    mongo.use_database(_name)
    if made:
        indexes.ensure_indexes()
    try:
        yield _name
    finally:
        database = mongo.sync_database()
        for collection in database.list_collection_names(filter={"name": {"$not": {"$regex": "^system"}}}):
            database.get_collection(collection, write_concern=mongo.HINT).delete_many({})
        mongo.use_database(None)
        _forget()


@contextmanager
def own_database() -> Iterator[str]:
    """Use a new database with its indexes, and drop it at the end."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    mongo.use_database(name)
    indexes.ensure_indexes()
    try:
        yield name
    finally:
        mongo.sync_database().client.drop_database(name)
        mongo.use_database(None)
        _forget()


def _forget() -> None:
    """What this process remembers of the tasks that were there is not true of the next test."""
    for remembered in (fairness._virtual_times, queries._counts, waiting._known, waits._known, counting._known, overview_reading._known):
        remembered.clear()
