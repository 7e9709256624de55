"""Which tasks a claimer takes: order, lanes, limits across claimers, quarantine, orphans, and what it leaves alone."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from benchmarks.torture.claiming import Account
from tasks_app import lifecycle
from tasks_app.conf import task_settings
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tasks_app.worker import claims
from tasks_app.worker.claims import Claimer
from tasks_app.worker.limits import Limits, Live, count_live
from tests.support import stored
from tests.support.claiming import claimer, named, store
from tests.support.registered import registered
from tests.support.stored import ALICE, BOB, Db, change, read, task
from tests.support.testtasks.executables import Noop

S = TaskStatus
NO_LIMITS = Limits(0, 0, {}, {})


async def names(db: Db, slots: int, **limits: Any) -> list[str]:
    """Claim, and return the claimed tasks' names."""
    return [doc["parameters"]["tag"] for doc in (await claimer(db, **limits).claim(slots)).tasks]


async def test_the_order_is_lane_then_priority_then_fair_key_then_age(db: Db) -> None:
    moment = stored.now() - stored.timedelta(seconds=60)
    older = moment - stored.timedelta(seconds=1)
    await store(
        db,
        named("child", parent_id="p", fairKey=0.0, priority=10, createdAt=older),
        named("late key", fairKey=3.0, createdAt=older),
        named("young", fairKey=2.0, createdAt=moment),
        named("old", fairKey=2.0, createdAt=older),
        named("urgent", fairKey=9.0, priority=5, createdAt=moment),
    )
    await store(db, task() | {"_id": "p", "status": S.RUNNING})

    order = []
    for _ in range(5):
        order += await names(db, 1)

    assert order == ["urgent", "old", "young", "late key", "child"]


async def test_one_claim_returns_what_attempts_need_under_one_token(db: Db) -> None:
    await store(db, *(named(str(n), draft={"text": "of an earlier attempt"}, result={"text": "of an earlier life"}) for n in range(5)))

    group = await claimer(db, "host:1").claim(3)

    assert len(group.tasks) == 3
    for claimed in group.tasks:
        kept = await read(db, claimed["_id"])
        assert (kept["status"], kept["lease"]["owner"], claimed["lease"]["token"], claimed["attempt"]) == (S.RUNNING, "host:1", group.token, 1)
        assert all(claimed[name] == kept[name] for name in claimed.keys() - {"lease"})
        assert {"parameters", "draft", "startedAt", "crashCount", "waitedSeconds", "parentId", "priority", "generation"} <= claimed.keys()
        assert not {"result", "attempts", "progress"} & claimed.keys()


async def test_what_is_not_due_yet_is_not_claimed(db: Db) -> None:
    await store(db, named("later", availableAt=stored.now() + stored.timedelta(seconds=60)), named("due"))

    assert await names(db, 10) == ["due"]


async def test_many_claimers_at_once_take_each_task_once(db: Db) -> None:
    await store(db, *(named(str(n)) for n in range(60)))

    groups = await asyncio.gather(*(claimer(db, f"host:{n}").claim(10) for n in range(8)))

    won = Counter(doc["_id"] for group in groups for doc in group.tasks)
    assert set(won.values()) == {1}
    assert await db[TASKS].count_documents({"status": S.RUNNING}) == len(won)


async def test_a_fifth_of_each_group_is_the_batch_lanes(db: Db) -> None:
    parent = await stored.awaiting(db, total=30)
    await store(db, *(named("single") for _ in range(60)), *(named("child", parent_id=parent["_id"]) for _ in range(30)))
    one = claimer(db)

    groups = [Counter(doc["parameters"]["tag"] for doc in (await one.claim(10)).tasks) for _ in range(4)]

    assert groups == [Counter(single=8, child=2)] * 4


async def test_single_slots_leave_every_fifth_to_the_batch_lane(db: Db) -> None:
    parent = await stored.awaiting(db, total=9)
    await store(db, *(named("single") for _ in range(20)), *(named("child", parent_id=parent["_id"]) for _ in range(9)))
    one = claimer(db)

    order = [(await one.claim(1)).tasks[0]["parameters"]["tag"] for _ in range(15)]

    assert Counter(order) == Counter(single=12, child=3)
    assert order[:5] == ["single"] * 4 + ["child"]


async def test_batches_take_no_more_than_their_fifth_while_a_type_at_its_limit_heads_the_queue(db: Db) -> None:
    parent = await stored.awaiting(db, total=50)
    await stored.running(db, task_type="TEST_SLEEP")
    stuck = [named("stuck", task_type="TEST_SLEEP") for _ in range(12)]
    await store(db, *stuck, *(named("single") for _ in range(60)), *(named("child", parent_id=parent["_id"]) for _ in range(50)))
    one = claimer(db, per_type={"TEST_SLEEP": 1})

    taken = Counter([doc["parameters"]["tag"] for _ in range(8) for doc in (await one.claim(5)).tasks])

    assert taken == Counter(single=32, child=8)


async def test_tasks_of_a_profile_that_is_gone_do_not_wait_behind_a_type_at_its_limit(db: Db) -> None:
    await stored.running(db, task_type="TEST_SLEEP")
    stuck = [named("stuck", task_type="TEST_SLEEP") for _ in range(60)]
    await store(db, *stuck, *(named("gone", BOB, resource="ai:removed") for _ in range(3)), named("full", BOB, resource="ai:default"))
    await stored.running(db, resource="ai:default")

    taken = await names(db, 5, per_type={"TEST_SLEEP": 1}, per_resource={"ai:default": 1})

    assert taken == ["gone"] * 3


async def test_a_types_limit_counts_tasks_under_its_former_name(db: Db) -> None:
    class Renamed(Noop):
        """Known by another name before."""

        task_type = "TEST_RENAMED"
        aliases = ("TEST_BEFORE",)
        max_running = 5

    with registered(Renamed):
        for _ in range(3):
            await stored.running(db, task_type="TEST_BEFORE")
        await store(db, *(named("now", task_type="TEST_RENAMED") for _ in range(5)), *(named("before", task_type="TEST_BEFORE") for _ in range(5)))
        limits = Limits.current(task_settings(), {})

        taken = (await Claimer(db, "claimer", limits, task_settings()).claim(20)).tasks

        assert len(taken) == 2
        live = await count_live(db)
        assert live.types == {"TEST_RENAMED": 5}
        assert {limits.reason(task(task_type=name), live) for name in ("TEST_RENAMED", "TEST_BEFORE")} == {"type_limit"}


async def test_without_singles_a_batch_takes_all(db: Db) -> None:
    parent = await stored.awaiting(db, total=30)
    await store(db, *(named("child", parent_id=parent["_id"]) for _ in range(30)))

    assert await names(db, 10) == ["child"] * 10


LIMITS = {
    "system": ({"total": 7}, lambda doc: True),
    "user": ({"per_user": 7}, lambda doc: doc["userId"] == ALICE),
    "type": ({"per_type": {"TEST_NOOP": 7}}, lambda doc: doc["taskType"] == "TEST_NOOP"),
    "resource": ({"per_resource": {"ai:default": 7}}, lambda doc: doc.get("resource") == "ai:default"),
}


@pytest.mark.parametrize("kind", sorted(LIMITS))
async def test_a_limit_holds_with_several_claimers_at_once(db: Db, kind: str) -> None:
    limits, counted = LIMITS[kind]
    await store(db, *(named("limited", resource="ai:default") for _ in range(40)))
    if kind != "system":
        await store(db, *(named("free", BOB, task_type="TEST_SLEEP") for _ in range(5)))
    claimers = [claimer(db, f"host:{n}", **limits) for n in range(3)]

    for _ in range(200):
        groups = await asyncio.gather(*(one.claim(10) for one in claimers))
        started = [doc for group in groups for doc in group.tasks if counted(doc)]
        live = await db[TASKS].find({"status": S.RUNNING}).to_list(None)
        assert len(started) <= 7
        assert sum(map(counted, live)) <= 7
        if sum(map(counted, live)) == 7:
            break
        await asyncio.sleep(0.05)  # those that met go back for a random moment

    assert sum(map(counted, await db[TASKS].find({"status": S.RUNNING}).to_list(None))) == 7
    assert await db[TASKS].count_documents({"status": S.QUEUED, "attempt": {"$ne": 0}}) == 0
    assert await db[TASKS].count_documents({"status": S.QUEUED, "attempts": {"$ne": []}}) == 0


async def test_far_from_every_limit_a_claim_counts_the_leases_once_and_near_one_twice(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    async def counted(database: Db) -> Live:
        live = await count_live(database)
        counts.append(live.total)
        return live

    monkeypatch.setattr(claims, "count_live", counted)
    monkeypatch.setattr(claims, "ROOMY_SECONDS", 60)
    await store(db, *(named(str(n)) for n in range(20)))
    one = claimer(db, total=20)

    for group in (4, 4, 4, 4):
        await one.claim(group)

    assert counts == [0, 4, 8, 12, 12, 16]


async def test_a_count_is_too_old_after_a_while(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "ROOMY_SECONDS", 0)
    await store(db, *(named(str(n)) for n in range(20)))
    one, other = claimer(db, "host:1", total=8), claimer(db, "host:2", total=8)
    await one.claim(1)
    await other.claim(7)

    async def never(*_: Any) -> list[dict[str, Any]]:
        raise AssertionError("it saw that there is no room")

    monkeypatch.setattr(one, "_hand_back_excess", never)
    assert (await one.claim(7)).tasks == []


async def test_a_limit_holds_against_others_who_claimed_since_the_leases_were_counted(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "ROOMY_SECONDS", 60)
    await store(db, *(named(str(n)) for n in range(20)))
    one, other = claimer(db, "host:1", total=8), claimer(db, "host:2", total=8)

    assert len((await one.claim(1)).tasks) == 1
    assert len((await other.claim(7)).tasks) == 7
    assert (await one.claim(7)).tasks == []
    assert (await one.claim_first(1)).tasks == []

    assert await db[TASKS].count_documents({"status": S.RUNNING}) == 8
    assert await db[TASKS].count_documents({"status": S.QUEUED, "attempt": {"$ne": 0}}) == 0


async def test_a_full_limit_claims_nothing_and_leaves_no_trace(db: Db) -> None:
    await stored.running(db)
    waiting = await stored.queued(db)

    assert await names(db, 5, total=1) == []

    assert await read(db, waiting["_id"]) == waiting


async def test_parents_that_await_their_children_count_for_no_limit(db: Db) -> None:
    await stored.awaiting(db, total=5)
    await stored.running(db, BOB, resource="ai:fast")

    live = await count_live(db)

    assert (live.total, dict(live.users), dict(live.types), dict(live.resources)) == (1, {BOB: 1}, {"TEST_NOOP": 1}, {"ai:fast": 1})


async def test_the_claim_looks_past_users_at_their_limit(db: Db) -> None:
    await stored.running(db, ALICE)
    await store(db, *(named("alice") for _ in range(30)), named("bob", BOB))

    assert await names(db, 5, per_user=1) == ["bob"]


async def test_past_many_tasks_of_users_at_their_limit_a_worker_examines_few_keys_for_each_task_it_claims(db: Db) -> None:
    full, others = [f"full-{number}" for number in range(50)], [f"user-{number}" for number in range(60)]
    lease = {"owner": "another", "token": "x", "expiresAt": stored.now() + stored.timedelta(hours=1)}
    await store(db, *(task(user, status=S.RUNNING, lease=lease) for user in full for _ in range(7)))
    await store(
        db, *(task(user, fairKey=1.0) for user in full for _ in range(20)), *(task(user, fairKey=2.0 + number) for number in range(20) for user in others)
    )
    worker, won = claimer(db, per_user=7), 0
    worker._types = frozenset(sorted(worker._types - {"TEST_NOOP"})[:3]) | {"TEST_NOOP"}  # as many as the project has; each costs keys
    account = Account()
    account.begin()
    while won < 360:
        won += len((await worker.claim(200)).tasks)
    cost = account.end()
    account.close()
    assert cost.keys / won <= 5.0


async def test_when_the_head_of_the_queue_is_free_again_it_is_claimed_in_whole_groups_again(db: Db) -> None:
    await stored.running(db, ALICE, "TEST_SLEEP")
    await store(db, *(named("sleep", task_type="TEST_SLEEP") for _ in range(60)), *(named("noop") for _ in range(130)))
    worker = claimer(db, per_type={"TEST_SLEEP": 1})
    assert len((await worker.claim(50)).tasks) == 50

    await db[TASKS].delete_many({"taskType": "TEST_SLEEP"})

    assert [len((await worker.claim(50)).tasks) for _ in range(3)] == [20, 50, 10]


async def test_the_claim_looks_past_types_at_their_limit(db: Db) -> None:
    await stored.running(db, ALICE, "TEST_SLEEP")
    await store(db, *(named("sleep", task_type="TEST_SLEEP") for _ in range(30)), named("noop"))

    assert await names(db, 5, per_type={"TEST_SLEEP": 1}) == ["noop"]


async def test_the_claim_looks_past_types_it_does_not_know_and_leaves_them_alone(db: Db) -> None:
    await store(db, *(named("of another version", task_type="FROM_THE_FUTURE") for _ in range(30)), named("known"))

    assert await names(db, 5) == ["known"]

    assert await db[TASKS].count_documents({"taskType": "FROM_THE_FUTURE", "status": S.QUEUED, "attempt": 0}) == 30


async def test_the_claim_looks_past_tasks_that_wait_for_a_full_ai_profile(db: Db) -> None:
    await stored.running(db, ALICE, resource="ai:slow")
    await store(db, *(named("slow", resource="ai:slow") for _ in range(30)), named("fast", BOB, resource="ai:fast"), named("plain", BOB))

    # With many types a claim asks for few users, from a random one on: the turn of each comes.
    claimed: list[str] = []
    async with asyncio.timeout(30):
        while not claimed:
            claimed = await names(db, 5, per_resource={"ai:slow": 1, "ai:fast": 5})
    assert sorted(claimed) == ["fast", "plain"]


async def test_one_claim_takes_one_task_that_was_lost_twice(db: Db) -> None:
    await store(db, *(named("poison", crashCount=2) for _ in range(4)), *(named("innocent", crashCount=1) for _ in range(4)))

    assert Counter(await names(db, 8)) == Counter(poison=1, innocent=4)


async def test_with_one_in_quarantine_no_other_is_taken(db: Db) -> None:
    await store(db, named("poison", crashCount=2), named("innocent"))

    group = await claimer(db).claim(8, quarantine_free=False)

    assert [doc["parameters"]["tag"] for doc in group.tasks] == ["innocent"]


async def test_the_claim_looks_past_many_tasks_that_were_lost_twice(db: Db) -> None:
    await store(db, *(named("poison", crashCount=2) for _ in range(30)), named("innocent"))

    group = await claimer(db).claim(5, quarantine_free=False)

    assert [doc["parameters"]["tag"] for doc in group.tasks] == ["innocent"]


@pytest.mark.parametrize("status", [S.CANCELLING, S.CANCELLED, S.FAILED, S.INTERRUPTED, None])
async def test_a_child_whose_parent_is_cancelled_or_gone_is_not_begun(db: Db, status: TaskStatus | None) -> None:
    parent_id = (await stored.in_state(db, status, user=BOB))["_id"] if status else "deleted"
    child, single = await stored.queued(db, parent_id=parent_id), await stored.queued(db)

    group = await claimer(db).claim(5)

    assert [doc["_id"] for doc in group.tasks] == [single["_id"]]
    after = await read(db, child["_id"])
    assert (after["status"], after["attempt"], after["attempts"]) == (S.CANCELLED, 0, [])


@pytest.mark.parametrize("status", [S.QUEUED, S.RETRYING, S.RUNNING])
async def test_a_child_whose_parent_has_to_plant_again_is_run(db: Db, status: TaskStatus) -> None:
    """The parent's worker was lost, or the planting failed half-way: what it planted is wanted all the same."""
    parent = await stored.in_state(db, status, user=BOB, availableAt=stored.now() + stored.timedelta(seconds=60))
    child = await stored.queued(db, parent_id=parent["_id"])

    group = await claimer(db).claim(5)

    assert child["_id"] in [doc["_id"] for doc in group.tasks]
    assert (await read(db, child["_id"]))["status"] == S.RUNNING


class Meddling(Claimer):
    """A claimer to whom something happens between its claim and its count."""

    meanwhile: Any = None

    async def _live_after(self) -> Live:
        if won := await self._tasks.find({"lease.owner": self._owner}).to_list(None):
            await self.meanwhile(won)
        return await super()._live_after()


async def test_what_is_over_a_limit_and_cancelled_meanwhile_ends_cancelled(db: Db) -> None:
    await store(db, named("a"), named("b"))
    one = Meddling(db, "host:1", Limits(1, 0, {}, {}), task_settings())

    async def meanwhile(won: list[dict[str, Any]]) -> None:
        assert await change(db, lifecycle.claim([other], owner="other", token="other", lease_seconds=30)) == 1
        assert await change(db, lifecycle.request_cancel({"_id": won[0]["_id"]})) == 1

    one.meanwhile = meanwhile
    other = (await stored.queued(db, fairKey=1e9))["_id"]

    group = await one.claim(1)

    assert group.tasks == []
    assert await db[TASKS].count_documents({"lease.owner": "host:1"}) == 0
    assert await db[TASKS].count_documents({"status": S.CANCELLED}) == 1


async def test_a_claim_that_is_cut_off_after_its_lease_is_remembered_as_unanswered(db: Db) -> None:
    await store(db, named("a"))
    one = Meddling(db, "host:1", Limits(9, 0, {}, {}), task_settings())

    async def meanwhile(won: list[dict[str, Any]]) -> None:
        raise ConnectionError("the network is gone")

    one.meanwhile = meanwhile

    with pytest.raises(ConnectionError):
        await one.claim(1)

    held = await db[TASKS].find_one({"status": S.RUNNING})
    assert held is not None
    assert held["lease"]["token"] in one.unanswered


async def test_a_claim_tells_whether_more_may_be_due(db: Db) -> None:
    await store(db, *(named(str(n)) for n in range(5)))

    groups = [await claimer(db).claim(slots) for slots in (2, 4, 4)]

    assert [(len(group.tasks), group.more) for group in groups] == [(2, True), (3, False), (0, False)]


def beaten_by(db: Db, rival: Claimer, takes: int, monkeypatch: pytest.MonkeyPatch) -> Claimer:
    """A claimer whose choice a rival is always quicker to claim from."""
    beaten = claimer(db, "host:beaten")
    choose = beaten._choose

    async def choose_too_late(*args: Any) -> Any:
        chosen = await choose(*args)
        await rival.claim(takes)
        return chosen

    monkeypatch.setattr(beaten, "_choose", choose_too_late)
    return beaten


async def test_who_is_beaten_to_nearly_all_of_a_group_pauses_longer_each_time_and_who_wins_goes_on(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    await store(db, *(named(str(n)) for n in range(40)))
    rival = claimer(db, "host:rival")
    beaten = beaten_by(db, rival, 9, monkeypatch)
    longest: list[float] = []
    monkeypatch.setattr("tasks_app.worker.claims.random.uniform", lambda least, most: longest.append(most) or most)

    for _ in range(3):
        group = await beaten.claim(10)  # one of these ten is left
        assert (len(group.tasks), group.more) == (1, True)
    monkeypatch.undo()

    assert longest == [0.1, 0.2, 0.4]
    assert beaten.pause == 0.4
    assert rival.pause == 0.0
    assert len((await beaten.claim(5)).tasks) == 5
    assert beaten.pause == 0.0
    for _ in range(2_000):  # a worker that is beaten for days goes on
        beaten._step_aside(1, 0)
    assert beaten.pause <= 1.6


async def test_who_loses_half_of_a_large_group_to_a_rival_leaves_it_the_head_of_the_queue_for_a_moment(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    await store(db, *(named(f"{n:02}", fairKey=float(n)) for n in range(100)))
    beaten = beaten_by(db, claimer(db, "host:rival"), 6, monkeypatch)
    monkeypatch.setattr("tasks_app.worker.claims.LARGE_GROUP", 10)
    monkeypatch.setattr("tasks_app.worker.claims.FURTHER_SECONDS", 60.0)

    async def won() -> list[str]:
        return [doc["parameters"]["tag"] for doc in (await beaten.claim(10)).tasks]

    assert await won() == ["06", "07", "08", "09"]
    assert beaten.pause == 0.0
    assert await won() == [str(n) for n in range(30, 40)], "two groups were left: the rival took the first six of them"
    beaten._further_until = 0.0
    assert (await won())[0] == "22", "the moment is over: at the head again"


async def test_who_leaves_a_rival_the_head_takes_it_when_the_queue_is_no_longer_than_that(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    await store(db, *(named(str(n)) for n in range(35)))
    beaten = beaten_by(db, claimer(db, "host:rival"), 6, monkeypatch)
    monkeypatch.setattr("tasks_app.worker.claims.LARGE_GROUP", 10)
    monkeypatch.setattr("tasks_app.worker.claims.FURTHER_SECONDS", 60.0)
    assert len((await beaten.claim(10)).tasks) == 4
    monkeypatch.undo()
    assert beaten._further_until > 0

    assert [len((await beaten.claim(10)).tasks) for _ in range(4)] == [10, 10, 5, 0]
