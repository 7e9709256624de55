"""The tests' own task types, registered for these tests only, and workers on the test's own loop."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from tasks_app.conf import TaskSettings, task_settings
from tasks_app.worker.worker import Identity, Worker
from tests.support.registered import registered_test_types


@pytest.fixture(autouse=True)
def test_types() -> Iterator[None]:
    """TEST_NOOP and its like."""
    with registered_test_types():
        yield


@pytest.fixture
async def start(db: AsyncDatabase[dict[str, Any]]) -> AsyncIterator[Callable[..., Worker]]:
    """`start(max_running_per_user=3)` runs a worker; it is drained afterwards."""
    running: list[tuple[Worker, asyncio.Task[None]]] = []

    def begin(**changes: Any) -> Worker:
        base: TaskSettings = task_settings()
        defaults: dict[str, Any] = {"lease_seconds": 3.0, "shutdown_grace": 0.3, "max_running_per_user": 0, "progress_interval": 0.1, "worker_concurrency": 400}
        settings = dataclasses.replace(base, **(defaults | changes))
        worker = Worker(Identity.new("test"), settings, beat=lambda: None, orphaned=lambda: False)
        running.append((worker, asyncio.create_task(worker.run())))
        return worker

    yield begin
    for worker, task in running:
        worker.drain()
        await asyncio.wait_for(task, 60)
