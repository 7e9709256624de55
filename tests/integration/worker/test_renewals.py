"""Renewals beside everything else that happens to a worker's tasks meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any

from tasks_app import lifecycle
from tasks_app.worker.attempt import Attempt
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support.stored import Db, change
from tests.support.submissions import store_many

Start = Callable[..., Worker]

MORE_THAN_A_BATCH = 300  # the driver reads the first 101 leases by one command, and the rest by another


def nothing(attempt: Any) -> None:
    """Leave it alone."""


async def test_a_lease_is_not_taken_for_lost_because_its_cancellation_is_asked_for_during_a_renewal(start: Start, db: Db) -> None:
    ids = await store_many(db, "TEST_SLEEP", MORE_THAN_A_BATCH, seconds=60)
    worker = start(lease_seconds=60.0)  # whose own renewals are far away
    await until(lambda: len(worker.attempts) == MORE_THAN_A_BATCH)
    lost: list[Attempt] = []

    async def ask() -> None:
        for task_id in reversed(ids[100:]):  # the last of the index, to which each scan comes last
            await change(db, lifecycle.request_cancel({"_id": task_id}))

    asking = asyncio.create_task(ask())
    while not asking.done():
        await worker._leases.renew(lost.append, nothing)
    await asking

    assert [attempt.task_id for attempt in lost] == []
