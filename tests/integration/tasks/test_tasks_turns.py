"""How idle workers hear of a task that has come, and which of them looks for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from ainoval.ids import new_id
from tasks_app import lifecycle
from tasks_app.documents import TASKS, WORKERS
from tasks_app.worker import outbox, wakeups
from tasks_app.worker.clock import ServerClock
from tasks_app.worker.turns import Turns
from tasks_app.worker.wakeups import OTHERS_TURN_SECONDS, WakeUps
from tasks_app.worker.worker import _end
from tests.conftest import until
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
        await _end({running})


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


async def requeue(db: Db, document: stored.Json) -> None:
    transition = lifecycle.requeue({"_id": document["_id"]}, fair_key=1.0)
    assert await stored.change(db, transition) == 1


async def test_a_task_that_is_queued_again_is_heard_of_and_other_changes_are_not(db: Db) -> None:
    failed = await stored.running(db)
    async with watching(db, lambda _: True) as wake:
        assert await stored.change(db, stored.fail(failed)) == 1
        waiting = asyncio.create_task(wake.wait())
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await requeue(db, failed)
        assert await asyncio.wait_for(waiting, 5)


async def test_the_server_leaves_other_changes_out_while_it_reads_its_log(db: Db) -> None:
    since = (await db.client.admin.command("hello"))["operationTime"]
    document = await stored.running(db)
    assert await stored.change(db, stored.fail(document)) == 1
    await requeue(db, document)

    stages = [{"$changeStream": {"startAtOperationTime": since}}, *wakeups._PIPELINE]
    plan = await db.command("explain", {"aggregate": TASKS, "pipeline": stages, "cursor": {}}, verbosity="queryPlanner")
    wanted = plan["stages"][0]["$cursor"]["queryPlanner"]["parsedQuery"]
    passed = await db.client["local"]["oplog.rs"].find({"$and": [wanted, {"ns": f"{db.name}.{TASKS}"}]}).sort("$natural", 1).to_list(None)

    assert [entry["op"] for entry in passed] == ["i", "u"]  # the claim and the failure are not among them
    assert passed[1]["o"]["diff"]["u"]["status"] == "QUEUED"


class Scripted:
    """A collection whose change stream tells of these tasks when it is told to, all at once, and then of nothing."""

    def __init__(self, *task_ids: str) -> None:
        self.asked = 0
        self._events = [{"documentKey": {"_id": task_id}} for task_id in task_ids]
        self.come, self.all_told = asyncio.Event(), asyncio.Event()

    async def watch(self, *_: Any, **__: Any) -> "Scripted":
        return self

    async def __aenter__(self) -> "Scripted":
        return self

    async def __aexit__(self, *_: Any) -> None:
        return None

    async def try_next(self) -> Any:
        self.asked += 1
        await self.come.wait()
        if self.asked > len(self._events):
            self.all_told.set()
            await asyncio.sleep(600)
        return self._events[self.asked - 1]


@asynccontextmanager
async def scripted(db: Db, stream: Scripted) -> AsyncIterator[WakeUps]:
    wake = WakeUps(db, lambda _: True)
    wake._tasks = stream  # type: ignore[assignment]
    running = asyncio.create_task(wake.run())
    try:
        yield wake
    finally:
        await _end({running})


async def test_the_claim_goes_before_the_server_is_asked_for_the_next_event(db: Db) -> None:
    stream = Scripted("one")
    async with scripted(db, stream) as wake:
        assert not await asyncio.wait_for(wake.wait(), 5)  # the stream is open
        stream.come.set()
        assert await asyncio.wait_for(wake.wait(), 5)
        assert stream.asked == 1
        await asyncio.sleep(10 * wakeups.REST_SECONDS)
        assert stream.asked == 2


async def test_a_crowd_that_comes_at_once_is_heard_of_at_once(db: Db) -> None:
    stream = Scripted(*(str(number) for number in range(1_000)))
    async with scripted(db, stream) as wake:
        assert not await asyncio.wait_for(wake.wait(), 5)
        stream.come.set()
        await asyncio.wait_for(stream.all_told.wait(), 1_000 * wakeups.REST_SECONDS / 6)


async def streams_open(db: Db, number: int) -> bool:
    """Whether so many change streams of the tasks are open."""
    stages = [{"$currentOp": {"idleCursors": True}}, {"$match": {"ns": f"{db.name}.{TASKS}", "cursor.tailable": True}}]
    return len(await (await db.client.admin.aggregate(stages)).to_list(None)) == number


async def test_while_attempts_end_in_crowds_no_stream_is_open_and_it_is_looked_now_and_then(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(db, lambda _: True) as wake:
        await until(lambda: streams_open(db, 1))
        monkeypatch.setattr(wakeups, "CALM_SECONDS", 600.0)
        wake.crowd()
        await until(lambda: streams_open(db, 0))
        for _ in range(3):
            assert not await asyncio.wait_for(wake.wait(), 5)
        assert await streams_open(db, 0)
        monkeypatch.setattr(wakeups, "CALM_SECONDS", 0.0)
        wake.crowd()
        await until(lambda: streams_open(db, 1))


async def test_a_crowd_is_many_attempts_that_end_at_once(db: Db) -> None:
    crowds: list[int] = []
    box = outbox.Outbox(db, lambda: crowds.append(1))
    writing = asyncio.create_task(box.run())
    for number in (outbox.CROWD - 1, outbox.CROWD):
        running = [await stored.running(db) for _ in range(number)]
        assert not crowds
        await asyncio.gather(*(box.write(stored.complete(document)) for document in running))
    assert crowds == [1]
    writing.cancel()
    await asyncio.wait({writing})
