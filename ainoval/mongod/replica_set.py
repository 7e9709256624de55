"""Talking to a mongod that listens: who is it, and make it the primary of a replica set of one."""

import time
from collections.abc import Callable
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ainoval.mongod.errors import MongodUnavailable

REPLICA_SET = "rs0"


def _connect(port: int, seconds: float) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        f"mongodb://127.0.0.1:{port}/?directConnection=true",
        serverSelectionTimeoutMS=1000,
        connectTimeoutMS=1000,
        socketTimeoutMS=int(seconds * 1000),
    )


def pid_of_server_at(port: int) -> int | None:
    """The process id that the MongoDB server at this port says it has; None if nothing, or something else, answers."""
    try:
        with _connect(port, 2) as client:
            return int(client.admin.command("serverStatus")["pid"])
    except PyMongoError:
        return None


def become_primary(port: int, is_alive: Callable[[], bool], deadline: float) -> bool:
    """Wait until the server is a writable primary, configuring its replica set where needed; False if it has ended."""
    last: PyMongoError | None = None
    with _connect(port, max(1.0, deadline - time.monotonic())) as client:
        while time.monotonic() < deadline:
            try:
                hello = client.admin.command("hello")
                if hello.get("isWritablePrimary") and hello.get("setName"):
                    return True
                if not hello.get("setName"):
                    if not hello.get("isreplicaset"):
                        raise MongodUnavailable(f"The mongod on the data folder runs without --replSet {REPLICA_SET}. Stop it, then retry.")
                    _configure(client, f"127.0.0.1:{port}")
            except PyMongoError as exc:
                last = exc  # still loading its configuration, or ending
            if not is_alive():
                return False
            time.sleep(0.02)
    why = f" Its last error: {last}" if last else ""
    raise MongodUnavailable(f"mongod did not become primary in time: see mongod.log.{why}")


def _configure(client: MongoClient[dict[str, Any]], address: str) -> None:
    """Initiate the replica set, or correct the address it has stored: on another port a member is never primary."""
    # What is stored, not replSetGetConfig: that has nothing to say while mongod is still thinking about it.
    config = client.local["system.replset"].find_one()
    if config is None:
        client.admin.command({"replSetInitiate": {"_id": REPLICA_SET, "members": [{"_id": 0, "host": address}]}})
    elif [member["host"] for member in config["members"]] != [address]:
        config["members"] = [{**config["members"][0], "host": address}]
        config["version"] += 1
        client.admin.command({"replSetReconfig": config, "force": True})
