"""MongoDB stopped, killed and started again under a running cluster."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ainoval import mongo, mongod
from tasks_app import operations
from tasks_app.documents import TASKS
from tests.conftest import until
from tests.support import http_server
from tests.support.cluster import Cluster, count
from tests.support.environment import DATA_DIR
from tests.support.submissions import store_many
from tests.support.testtasks.executables import LEDGER

Start = Callable[..., Cluster]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def _server_afterwards(database_name: str) -> Iterator[None]:
    """The server runs again before the database is dropped, also when the test failed in between."""
    yield
    mongod.ensure_running(DATA_DIR)


def kill_mongod() -> None:
    pid = mongod.running_pid(DATA_DIR)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def start_mongod() -> None:
    await asyncio.to_thread(mongod.ensure_running, DATA_DIR)


async def test_an_outage_of_two_leases_costs_no_attempt_no_loss_and_no_repeated_effect(db: Any, cluster: Start) -> None:
    await store_many(db, "TEST_LEDGER", 100, seconds=4)
    workers = await cluster(TASKS_WORKERS="2", TASKS_LEASE_SECONDS="3").ready(2)
    pids = workers.workers

    async def running() -> bool:
        return await count("RUNNING") == 100

    await until(running)
    kill_mongod()
    await asyncio.sleep(6.5)
    await start_mongod()

    async def done() -> bool:
        try:
            return await count("COMPLETED") == 100
        except mongo.UNAVAILABLE:
            return False

    await until(done, what="the end of all tasks")
    assert workers.workers == pids, "a worker died of the outage"
    async for task in mongo.database()[TASKS].find({}):
        assert (task["crashCount"], task["attempt"]) == (0, 1)
        # Work that met the outage itself was put off, at no cost of an attempt.
        *put_off, last = task["attempts"]
        assert last["outcome"] == "completed"
        assert {(entry["outcome"], entry["error"]["code"]) for entry in put_off} <= {("retry", "database_unavailable")}
    assert await mongo.database()[LEDGER].count_documents({}) == 100


@pytest.mark.alone
async def test_claims_flow_soon_after_the_server_is_back(db: Any, cluster: Start) -> None:
    await cluster(TASKS_WORKERS="2", TASKS_LEASE_SECONDS="3").ready(2)
    kill_mongod()
    await asyncio.sleep(1)
    await start_mongod()
    back = time.monotonic()
    for _ in range(50):
        try:
            await operations.submit("alice", "TEST_NOOP", {})
            break
        except mongo.UNAVAILABLE:
            await asyncio.sleep(0.1)

    async def completed() -> bool:
        return await count("COMPLETED") == 1

    await until(completed)
    assert time.monotonic() - back < 5.0


@pytest.mark.alone
async def test_a_cluster_that_is_told_to_stop_during_an_outage_ends_on_time(db: Any, cluster: Start) -> None:
    workers = await cluster(TASKS_WORKERS="2", TASKS_SHUTDOWN_GRACE="1", TASKS_LEASE_SECONDS="2").ready(2)
    await store_many(db, "TEST_SLEEP", 6, seconds=60)

    async def running() -> bool:
        return await count("RUNNING") == 6

    await until(running)
    kill_mongod()
    await asyncio.sleep(0.5)
    started = time.monotonic()
    workers.stop()
    # The grace and a second; waiting for MongoDB anywhere would be 3 s more.
    assert time.monotonic() - started < 3.5
    assert workers.leftovers() == []
    await start_mongod()
    await cluster(TASKS_WORKERS="1", TASKS_LEASE_SECONDS="2").ready(1)

    async def taken_up() -> bool:
        return await count("RUNNING", crashCount=1) == 6

    await until(taken_up)


def test_a_server_that_is_told_to_stop_while_mongodb_is_silent_ends_with_its_grace(db: Any, tmp_path: Path) -> None:
    """The graceful time-out is two seconds; an answer of MongoDB would be waited for half a minute."""
    pid = mongod.running_pid(DATA_DIR)
    assert pid is not None
    with ExitStack() as life:
        server = life.enter_context(http_server.running(tmp_path, mongo.uri(), mongo.database_name()))
        token = server.log_in("alice")["access"]
        headers = {"Authorization": f"Bearer {token}"}
        assert server.request("GET", "/api/tasks", headers=headers).status == 200
        os.kill(pid, signal.SIGSTOP)
        try:
            with socket.create_connection(("127.0.0.1", server.port)) as waiting:
                waiting.sendall(f"GET /api/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {headers['Authorization']}\r\n\r\n".encode())
                time.sleep(0.5)
                told = time.monotonic()
                life.close()  # SIGTERM, and SIGKILL ten seconds later
                assert time.monotonic() - told < 6
        finally:
            os.kill(pid, signal.SIGCONT)
