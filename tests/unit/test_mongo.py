"""How clients of MongoDB are set up."""

from pymongo import MongoClient

from ainoval import mongo

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
