"""How clients of MongoDB are set up."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.read_preferences import Primary

from ainoval import mongo
from ainoval.env import read_environment
from tasks_app.documents import BackgroundTask

HOST = "mongodb://alice:her-password@db1.example.org,db2.example.org/?replicaSet=rs0"


def test_time_outs_and_pool_sizes_of_the_uri_are_the_operators() -> None:
    uri = f"{HOST}&serverSelectionTimeoutMS=200&maxpoolsize=7"
    options = mongo.client_options(uri)
    assert {"serverSelectionTimeoutMS", "maxPoolSize"} & set(options) == set()
    with MongoClient(uri, connect=False, **options) as client:
        assert (client.options.server_selection_timeout, client.options.pool_options.max_pool_size) == (0.2, 7)
        assert client.options.pool_options.connect_timeout == 3.0


def test_what_the_promises_rest_on_is_not_the_uris_to_change() -> None:
    uri = f"{HOST}&w=1&journal=false&retryWrites=false&tz_aware=false"
    with MongoClient(uri, connect=False, **mongo.client_options(uri)) as client:
        assert client.write_concern.document == {"w": "majority", "j": True}
        assert client.options.retry_writes
        assert client.codec_options.tz_aware


SECONDARIES = "readPreference=secondaryPreferred&readPreferenceTags=dc:east&maxStalenessSeconds=120"


async def test_reads_go_to_the_primary_whatever_the_uri_says() -> None:
    uri = f"{HOST}&{SECONDARIES}"
    with MongoClient(uri, connect=False, **mongo.client_options(uri)) as client:
        assert client.read_preference == Primary()
    async with AsyncMongoClient(uri, **mongo.client_options(uri)) as other:
        assert other.read_preference == other["ainoval"]["background_tasks"].read_preference == Primary()


@pytest.fixture
def at_uri(settings: Any) -> Iterator[None]:
    """A process whose MONGODB_URI names secondaries and another database; nothing is connected."""
    mongo.disconnect()
    mongo.uri.cache_clear()
    uri = f"mongodb://db1.example.org,db2.example.org/elsewhere?replicaSet=rs0&w=1&{SECONDARIES}"
    settings.AINOVAL = read_environment({"MONGODB_URI": uri, "DJANGO_SECRET_KEY": "word"})
    yield
    mongo.disconnect()
    mongo.uri.cache_clear()


@pytest.mark.usefixtures("at_uri")
def test_documents_are_read_at_the_primary_and_in_our_database_whatever_the_uri_says() -> None:
    collections = (mongo.sync_database()["background_tasks"], BackgroundTask._get_collection())
    for collection in collections:
        assert (collection.database.name, collection.read_preference) == (mongo.database_name(), Primary())
        assert collection.write_concern.document == {"w": "majority", "j": True}
        assert collection.codec_options.tz_aware
