"""How idle workers hear of a task that has come, and which of them looks for it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from tasks_app import lifecycle
from tasks_app.documents import TASKS, WORKERS
from tasks_app.worker import outbox, turns, wakeups
from tasks_app.worker.clock import ServerClock
from tasks_app.worker.turns import Turns
from tasks_app.worker.wakeups import WakeUps
from tasks_app.worker.worker import _end
from tests.conftest import until
from tests.support import stored
from tests.support.stored import Db


async def alive(db: Db, owner: str, **fields: Any) -> None:
    await db[WORKERS].insert_one({"_id": owner, "heartbeatAt": stored.now(), "draining": False, "running": 0, "slots": 10} | fields)


async def shares(db: Db, *owners: str) -> list[str]:
    """Return the last digits of the tasks that each of these workers takes for its own."""
    clock = ServerClock()
    await clock.read(db)
    asked = [Turns(db, owner, clock) for owner in owners]
    for each in asked:
        await each.refresh()
    return [each.mine() for each in asked]


async def test_each_task_is_one_workers_turn(db: Db) -> None:
    for owner in ("a", "b", "c"):
        await alive(db, owner)
    assert await shares(db, "a", "b", "c") == ["0369cf", "147ad", "258be"]


async def test_who_is_gone_leaves_or_has_no_room_has_no_turn(db: Db) -> None:
    await alive(db, "able")
    await alive(db, "able, too")
    await alive(db, "silent", heartbeatAt=stored.now() - timedelta(seconds=60))
    await alive(db, "leaving", draining=True)
    await alive(db, "full", running=10)
    assert await shares(db, "able", "able, too") == ["02468ace", "13579bdf"]


async def test_who_is_not_known_looks_for_every_task(db: Db) -> None:
    await alive(db, "b")
    assert await shares(db, "new") == [turns.ALL]


def test_among_more_workers_than_digits_each_digit_is_somebodys() -> None:
    owners = [f"{number:02}" for number in range(19)]
    found = [turns.share(owners, owner) for owner in owners]
    assert all(len(digits) == 1 for digits in found)
    assert set("".join(found)) == set(turns.ALL)


@asynccontextmanager
async def watching(db: Db, mine: Callable[[], str] = lambda: turns.ALL) -> AsyncIterator[WakeUps]:
    """A worker's wake-ups with the stream open and nothing to do."""
    wake = WakeUps(db, mine)
    running = asyncio.create_task(wake.run())
    try:
        assert not await asyncio.wait_for(wake.wait(), 5)  # the stream is open: whatever came before may be due
        yield wake
    finally:
        await _end({running})


async def test_one_task_that_comes_is_told_from_several(db: Db) -> None:
    async with watching(db) as wake:
        await stored.queued(db)
        assert await asyncio.wait_for(wake.wait(), 5)
        await stored.queued(db)
        await stored.queued(db)
        await asyncio.sleep(0.5)
        assert not await asyncio.wait_for(wake.wait(), 5)


def ending_in(digit: str) -> str:
    return os.urandom(12).hex()[:-1] + digit


async def test_a_worker_is_not_told_of_a_task_whose_turn_is_anothers(db: Db) -> None:
    digits = {"mine": "0369cf"}
    async with watching(db, lambda: digits["mine"]) as wake:
        waiting = asyncio.create_task(wake.wait())
        for last in "1248":
            await stored.queued(db, _id=ending_in(last))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await stored.queued(db, _id=ending_in("c"))
        assert await asyncio.wait_for(waiting, 5)

        digits["mine"] = "1248"  # others have come or gone
        assert not await asyncio.wait_for(wake.wait(), 5), "what came before its new stream was open may be due"
        await stored.queued(db, _id=ending_in("8"))
        assert await asyncio.wait_for(wake.wait(), 5)


async def requeue(db: Db, document: stored.Json) -> None:
    transition = lifecycle.requeue({"_id": document["_id"]}, fair_key=1.0)
    assert await stored.change(db, transition) == 1


async def test_a_task_that_is_queued_again_is_heard_of_and_other_changes_are_not(db: Db) -> None:
    failed = await stored.running(db)
    async with watching(db) as wake:
        assert await stored.change(db, stored.fail(failed)) == 1
        waiting = asyncio.create_task(wake.wait())
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await requeue(db, failed)
        assert await asyncio.wait_for(waiting, 5)


async def test_the_server_leaves_other_changes_and_others_tasks_out_while_it_reads_its_log(db: Db) -> None:
    since = (await db.client.admin.command("hello"))["operationTime"]
    for last in "01":
        document = await stored.claimed(db, await stored.queued(db, _id=ending_in(last)))
        assert await stored.change(db, stored.fail(document)) == 1
        await requeue(db, document)

    stages = [{"$changeStream": {"startAtOperationTime": since}}, *wakeups.pipeline("02468ace")]
    plan = await db.command("explain", {"aggregate": TASKS, "pipeline": stages, "cursor": {}}, verbosity="queryPlanner")
    wanted = plan["stages"][0]["$cursor"]["queryPlanner"]["parsedQuery"]
    passed = await db.client["local"]["oplog.rs"].find({"$and": [wanted, {"ns": f"{db.name}.{TASKS}"}]}).sort("$natural", 1).to_list(None)

    assert [entry["op"] for entry in passed] == ["i", "u"]  # the claim and the failure are not among them, nor what became of the other
    assert passed[0]["o"]["_id"][-1] == passed[1]["o2"]["_id"][-1] == "0"
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
    wake = WakeUps(db, lambda: turns.ALL)
    wake._tasks = stream  # type: ignore[assignment]
    running = asyncio.create_task(wake.run())
    try:
        yield wake
    finally:
        await _end({running})


async def test_the_claim_goes_before_the_server_is_asked_for_the_next_event(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "REST_SECONDS", 0.5)  # however slow the machine is
    stream = Scripted("one")
    async with scripted(db, stream) as wake:
        assert not await asyncio.wait_for(wake.wait(), 5)  # the stream is open
        stream.come.set()
        assert await asyncio.wait_for(wake.wait(), 5)
        assert stream.asked == 1
        await asyncio.wait_for(stream.all_told.wait(), 5)


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
    async with watching(db) as wake:
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
