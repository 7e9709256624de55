"""Which of the idle workers looks for a task that has come, and how the others hear of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from ainoval.ids import new_id
from tasks_app.documents import WORKERS
from tasks_app.worker.clock import ServerClock
from tasks_app.worker.turns import Turns
from tasks_app.worker.wakeups import OTHERS_TURN_SECONDS, WakeUps
from tests.support import stored
from tests.support.stored import Db


async def alive(db: Db, owner: str, **fields: Any) -> None:
    await db[WORKERS].insert_one({"_id": owner, "heartbeatAt": stored.now(), "draining": False, "running": 0, "slots": 10} | fields)


async def shares(db: Db, *owners: str, tasks: int = 200) -> list[int]:
    """Return how many of many tasks each of these workers takes for its own."""
    clock = ServerClock()
    await clock.read(db)
    turns = [Turns(db, owner, clock) for owner in owners]
    for each in turns:
        each.mine("any")  # who is never asked does not read who there is
        await each.refresh()
    ids = [new_id() for _ in range(tasks)]
    return [sum(each.mine(task_id) for task_id in ids) for each in turns]


async def test_each_task_is_one_workers_turn(db: Db) -> None:
    for owner in ("a", "b", "c"):
        await alive(db, owner)
    found = await shares(db, "a", "b", "c")
    assert sum(found) == 200
    assert min(found) > 30


async def test_who_is_gone_leaves_or_has_no_room_has_no_turn(db: Db) -> None:
    await alive(db, "able")
    await alive(db, "silent", heartbeatAt=stored.now() - timedelta(seconds=60))
    await alive(db, "leaving", draining=True)
    await alive(db, "full", running=10)
    assert await shares(db, "able", "full") == [200, 0]


async def test_who_does_not_know_the_others_looks_for_every_task(db: Db) -> None:
    turns = Turns(db, "a", ServerClock())
    await alive(db, "b")
    assert turns.mine("any")
    await turns.refresh()
    assert not turns.mine("any")
    await turns.refresh()
    await turns.refresh()  # nothing came since the last time: what it knew is out of date
    assert turns.mine("any")


@asynccontextmanager
async def watching(db: Db, mine: Callable[[str], bool]) -> AsyncIterator[WakeUps]:
    """A worker's wake-ups with the stream open and nothing to do."""
    wake = WakeUps(db, mine)
    running = asyncio.create_task(wake.run())
    try:
        assert not await asyncio.wait_for(wake.wait(), 5)  # the stream is open: whatever came before may be due
        yield wake
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_one_task_that_comes_is_told_from_several(db: Db) -> None:
    async with watching(db, lambda _: True) as wake:
        await stored.queued(db)
        assert await asyncio.wait_for(wake.wait(), 5)
        await stored.queued(db)
        await stored.queued(db)
        await asyncio.sleep(0.5)
        assert not await asyncio.wait_for(wake.wait(), 5)


async def test_a_task_whose_turn_is_anothers_is_looked_for_a_little_later(db: Db) -> None:
    async with watching(db, lambda _: False) as wake:
        waiting = asyncio.create_task(wake.wait())
        inserted = asyncio.get_running_loop().time()
        await stored.queued(db)
        assert not await asyncio.wait_for(waiting, 5)
        assert asyncio.get_running_loop().time() - inserted >= OTHERS_TURN_SECONDS
