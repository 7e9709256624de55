"""Tasks of lost workers: who is recovered, to what, and who is left alone."""

from datetime import timedelta

import pytest

from tasks_app import lifecycle, maintenance, states
from tasks_app.documents import TASKS, WORKERS
from tasks_app.states import TaskStatus
from tests.support import stored
from tests.support.stored import Db, change, read

S = TaskStatus


async def test_an_expired_lease_puts_the_task_back_at_no_cost_of_an_attempt(db: Db) -> None:
    task = await stored.running(db, lease_seconds=-1)

    assert await change(db, stored.recover()) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["attempt"], after["crashCount"]) == (S.QUEUED, 0, 1)
    assert (after["fairKey"], after["completedAt"]) == (task["fairKey"], None)
    assert after["availableAt"] == after["updatedAt"] > task["updatedAt"]
    assert after["errorInfo"]["code"] == "worker_lost"
    assert not {"lease", "wait", "expireAt"} & set(after)
    [entry] = after["attempts"]
    assert (entry["outcome"], entry["worker"], entry["error"]["code"]) == ("lost", stored.OWNER, "worker_lost")


async def test_the_third_loss_interrupts_the_task(db: Db) -> None:
    task = await stored.queued(db)
    statuses = []
    for _ in range(3):
        await stored.claimed(db, await read(db, task["_id"]), lease_seconds=-1)
        await change(db, stored.recover())
        statuses.append((await read(db, task["_id"]))["status"])

    assert statuses == [S.QUEUED, S.QUEUED, S.INTERRUPTED]
    after = await read(db, task["_id"])
    assert (after["crashCount"], after["attempt"]) == (3, 1)
    assert after["errorInfo"]["details"] == {"losses": 3}
    assert after["expireAt"] - after["completedAt"] == timedelta(seconds=stored.RETENTION)


async def test_losses_that_are_not_in_a_row_do_not_interrupt(db: Db) -> None:
    """An attempt that ends by itself, even badly, shows that the task does not kill its worker."""
    task = await stored.queued(db, crashCount=2)

    await change(db, stored.retry(await stored.claimed(db, task), delay=-1))
    await change(db, lifecycle.promote())
    await stored.claimed(db, await read(db, task["_id"]), lease_seconds=-1)
    await change(db, stored.recover())

    after = await read(db, task["_id"])
    assert (after["status"], after["crashCount"]) == (S.QUEUED, 1)


async def test_a_type_that_must_not_run_again_is_interrupted_at_the_first_loss(db: Db) -> None:
    once, again = await stored.running(db, task_type="TEST_RUN_ONCE", lease_seconds=-1), await stored.running(db, lease_seconds=-1)

    assert await maintenance.recover_lost(db) == 2

    assert (await read(db, once["_id"]))["status"] == S.INTERRUPTED
    assert (await read(db, again["_id"]))["status"] == S.QUEUED


async def test_cancelling_becomes_cancelled_and_is_no_loss(db: Db) -> None:
    task = await stored.running(db, lease_seconds=-1, crashCount=2)
    await change(db, lifecycle.request_cancel({"_id": task["_id"]}))

    assert await change(db, stored.recover()) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["crashCount"]) == (S.CANCELLED, 2)
    assert after["completedAt"] is not None
    assert "errorInfo" not in after
    assert (after["attempts"][0]["outcome"], "error" in after["attempts"][0]) == ("cancelled", False)


async def test_a_parent_that_awaits_its_children_is_not_touched(db: Db) -> None:
    waiting = await stored.awaiting(db, total=3)
    cancelled = await stored.awaiting(db, total=3)
    await change(db, lifecycle.request_cancel({"_id": cancelled["_id"]}))

    assert await change(db, stored.recover()) == 0

    assert await read(db, waiting["_id"]) == waiting


async def test_a_lease_that_has_not_run_out_is_not_touched(db: Db) -> None:
    task = await stored.running(db, lease_seconds=2)

    assert await change(db, stored.recover()) == 0

    assert await read(db, task["_id"]) == task


async def test_a_sweep_that_read_before_a_renewal_changes_nothing(db: Db) -> None:
    task = await stored.running(db, lease_seconds=-1)
    sweep = stored.recover({"_id": task["_id"]})

    await change(db, lifecycle.renew(stored.OWNER, [task["lease"]["token"]], lease_seconds=30))

    assert await change(db, sweep) == 0
    assert (await read(db, task["_id"]))["status"] == S.RUNNING


async def test_a_rescue_that_looked_before_the_end_overwrites_no_finished_task(db: Db) -> None:
    task = await stored.running(db, lease_seconds=-1.0)
    assert [lost.task_id for lost in await maintenance.find_lost(db)] == [task["_id"]]
    assert await change(db, stored.complete(task)) == 1  # its worker was slow, not dead
    finished = await read(db, task["_id"])

    assert await maintenance.recover_lost(db, {"_id": task["_id"]}) == 0
    assert await maintenance.recover_worker(db, task["lease"]["owner"]) == 0

    assert await read(db, task["_id"]) == finished


async def test_an_operator_may_fail_what_was_lost_and_wait_longer(db: Db) -> None:
    old, young = await stored.running(db, lease_seconds=-100), await stored.running(db, lease_seconds=-1)

    assert await maintenance.recover_lost(db, mark_failed=True, expired_for_seconds=50) == 1

    after = await read(db, old["_id"])
    assert (after["status"], after["attempt"], after["crashCount"]) == (S.FAILED, 1, 1)
    assert after["expireAt"] is not None
    assert (await read(db, young["_id"]))["status"] == S.RUNNING


async def test_a_zombie_writes_nothing_after_recovery(db: Db) -> None:
    zombie = await stored.running(db, lease_seconds=-1)
    await change(db, stored.recover())
    successor = await stored.claimed(db, await read(db, zombie["_id"]))

    writes = [stored.complete(zombie), stored.fail(zombie), stored.retry(zombie), stored.release(zombie), stored.confirm_cancel(zombie)]
    writes.append(lifecycle.report_progress(zombie["_id"], zombie["lease"]["token"], {"percentage": 99}, stored.now()))
    writes.append(lifecycle.save_draft(zombie["_id"], zombie["lease"]["token"], {"text": "late"}))
    writes.append(lifecycle.await_children(zombie["_id"], stored.record(zombie), total=9))
    writes.append(lifecycle.renew(stored.OWNER, [zombie["lease"]["token"]], lease_seconds=30))

    assert [await change(db, write) for write in writes] == [0] * len(writes)
    assert await read(db, zombie["_id"]) == successor


async def test_the_tasks_of_a_dead_worker_are_recovered_at_once_and_nobody_elses(db: Db) -> None:
    dead, alive = await stored.running(db, owner="dead"), await stored.running(db, owner="alive")
    parent = await stored.awaiting(db, total=1, owner="dead")
    await db[WORKERS].insert_many([{"_id": "dead"}, {"_id": "alive"}])

    assert await maintenance.recover_worker(db, "dead") == 1

    assert (await read(db, dead["_id"]))["status"] == S.QUEUED
    assert await read(db, alive["_id"]) == alive
    assert await read(db, parent["_id"]) == parent
    assert [doc["_id"] async for doc in db[WORKERS].find()] == ["alive"]


async def test_what_is_shown_as_lost_is_what_a_recovery_would_take(db: Db) -> None:
    lost = await stored.running(db, lease_seconds=-1, owner="gone")
    await stored.running(db)
    await stored.awaiting(db, total=1)

    assert await maintenance.find_lost(db) == [maintenance.Lost(lost["_id"], lost["taskType"], S.RUNNING, "gone")]


@pytest.mark.parametrize("status", sorted(states.TERMINAL))
async def test_purge_takes_ended_families_whole(db: Db, status: TaskStatus) -> None:
    parent = await stored.in_state(db, status)
    child = await stored.in_state(db, S.COMPLETED, parent_id=parent["_id"])
    other = await stored.queued(db)

    assert await maintenance.purge(db, [parent["_id"], other["_id"]]) == 2

    assert [doc["_id"] async for doc in db[TASKS].find()] == [other["_id"]]
    assert child["_id"] != other["_id"]
