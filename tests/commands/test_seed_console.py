"""`manage.py seed_console`: what it makes is what the core would have made, and shows what it promises."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError

from ainoval import mongo
from ainoval.accounts.models import User
from ainoval.development.seeding import live, store
from ainoval.development.seeding.plan import Plan
from ainoval.novels.documents import NOVELS, SCENES
from tasks_app import families, health, maintenance, periods, registry, waiting
from tasks_app.documents import TASKS, WORKERS, BackgroundTask
from tasks_app.states import TERMINAL, TaskStatus
from tasks_app.waiting import waiting_facts, waiting_reason
from tests.commands.conftest import Store

Json = dict[str, Any]
Run = Callable[..., str]

SMALL = ("--tasks", "2000", "--users", "6")


@pytest.fixture
def seeded(run: Run) -> str:
    """A small seeded database; what the command printed."""
    return run("seed_console", *SMALL)


def tasks() -> list[Json]:
    return list(mongo.sync_database()[TASKS].find())


def reason_of(task_id: str) -> str | None:
    async def read() -> str | None:
        waiting._known.clear()
        await store.beat(mongo.database())
        task = await mongo.database()[TASKS].find_one({"_id": task_id})
        assert task is not None
        reason = waiting_reason(task, await waiting_facts())
        return reason["code"] if reason else None

    return mongo.run(read())


def test_there_are_as_many_tasks_as_asked_for_in_every_status(seeded: str) -> None:
    stored = tasks()
    assert len(stored) == 2_000
    assert "2,000 tasks" in seeded
    assert {task["status"] for task in stored} == set(TaskStatus)


def test_there_are_batches_whose_children_are_those_of_their_results(seeded: str) -> None:
    stored = {task["_id"]: task for task in tasks()}
    parents = [task for task in stored.values() if task.get("children")]
    assert len(parents) == Plan(2_000, 6, 1, datetime.now(UTC)).parents
    children: dict[str, Counter[str]] = {}
    for task in stored.values():
        if task["parentId"]:
            children.setdefault(task["parentId"], Counter())[task["status"]] += 1
    assert set(children) == {parent["_id"] for parent in parents}
    for parent in parents:
        counts = children[parent["_id"]]
        assert counts.total() == parent["children"]["total"]
        if TaskStatus(parent["status"]).is_terminal:
            assert parent["result"]["totalScenes"] == counts.total()
            assert parent["result"]["failedCount"] == counts["FAILED"] + counts["INTERRUPTED"]
            assert parent["status"] == families.ended_status(families.ChildCounts(counts.total(), dict(counts)))


def test_every_task_is_one_that_a_submission_and_a_worker_could_have_made(seeded: str) -> None:
    known = {executable.task_type: executable for executable in registry.all_types()}
    names = {str(field.db_field) for field in BackgroundTask._fields.values()}
    scenes = set(mongo.sync_database()[SCENES].distinct("_id"))
    unfinished = {task["_id"] for task in tasks() if not TaskStatus(task["status"]).is_terminal}
    now = datetime.now(UTC)
    for task in tasks():
        assert set(task) <= names
        if task["taskType"] in known:
            known[task["taskType"]].Parameters.model_validate(task["parameters"])
            assert not task["parameters"].get("sceneId") or task["parameters"]["sceneId"] in scenes
        status = TaskStatus(task["status"])
        assert (task["completedAt"] is not None) == (status in TERMINAL)
        assert task["createdAt"] <= task["updatedAt"] <= now + timedelta(seconds=1)
        if status is TaskStatus.COMPLETED and task["taskType"] in known:
            known[task["taskType"]].Result.model_validate(task["result"])
            assert task["startedAt"] <= task["completedAt"]
            assert task["attempts"] or task.get("children")
        # The tasks of a batch are kept as long as the batch, and that has no end yet while it runs.
        kept = task["parentId"] in unfinished
        assert (status in TERMINAL and not kept) == ("expireAt" in task)


def test_nobody_takes_the_held_tasks_for_lost(seeded: str) -> None:
    async def recovered() -> int:
        return await maintenance.recover_lost(mongo.database())

    assert mongo.run(recovered()) == 0
    held = [task["lease"]["owner"] for task in tasks() if "lease" in task]
    reported = {worker["_id"]: worker["running"] for worker in mongo.sync_database()[WORKERS].find()}
    assert reported == {name: Counter(held)[name] for name in reported}


def test_one_task_is_stuck_for_each_reason(seeded: str) -> None:
    reasons = {*waiting.REASONS} - {*live.OF_THE_WHOLE_SYSTEM, "type_limit"}
    assert {reason: reason_of(live.stuck_id(reason)) for reason in reasons} == {reason: reason for reason in reasons}


def test_limits_of_types_and_of_the_system_are_shown_with_the_settings_that_are_printed(seeded: str, settings: Any) -> None:
    running = [task["taskType"] for task in tasks() if "lease" in task]
    limit = running.count("GENERATE_SCENE")
    assert f"TASKS_TYPE_LIMITS=GENERATE_SCENE={limit}" in seeded
    assert f"TASKS_MAX_RUNNING={len(running)}" in seeded
    usual = settings.AINOVAL
    settings.AINOVAL = usual.model_copy(update={"tasks_type_limits": {"GENERATE_SCENE": limit}})
    assert reason_of(live.stuck_id("type_limit")) == "type_limit"
    settings.AINOVAL = usual.model_copy(update={"tasks_max_running": len(running)})
    assert reason_of(live.stuck_id("system_limit")) == "system_limit"


def test_without_reports_the_queued_wait_for_a_worker(seeded: str) -> None:
    mongo.sync_database()[WORKERS].delete_many({})
    task = mongo.sync_database()[TASKS].find_one({"_id": live.stuck_id("no_worker")})

    async def reason() -> Json | None:
        waiting._known.clear()
        return waiting_reason(task or {}, await waiting_facts())

    assert (mongo.run(reason()) or {})["code"] == "no_worker"


def test_the_counts_are_those_of_the_tasks_and_one_type_has_begun_to_fail(run: Run) -> None:
    run("seed_console", "--tasks", "20000", "--users", "6")
    now = datetime.now(UTC)

    async def read(over: periods.Range) -> list[Json]:
        return await periods.read(mongo.database(), over, now)

    start = periods.DAY.start(now)
    ended = Counter((task["taskType"], task["status"]) for task in tasks() if task["completedAt"] and task["completedAt"] >= start)
    day = periods.by_type(mongo.run(read(periods.DAY)))
    assert {(name, status): count for name, sums in day.items() for status, count in sums.ended.items()} == ended
    failing = health.failing_types(periods.by_type(mongo.run(read(periods.HOUR))), day)
    assert [each.task_type for each in failing] == ["GENERATE_SCENE"]
    assert failing[0].code == "content_filtered"


def test_shares_follow_zipfs_law_and_writers_have_novels(seeded: str) -> None:
    # Without the tasks of batches, of which one may be as large as a writer's whole share.
    by_user = Counter(task["userId"] for task in tasks() if task.get("parentId") is None)
    names = {str(user.pk): user.username for user in User.objects.all()}
    assert sorted(names.values()) == [f"writer-{rank:03}" for rank in range(1, 7)]
    assert set(by_user) == set(names)
    assert names[max(by_user, key=lambda user: by_user[user])] == "writer-001"
    authors = set(mongo.sync_database()[NOVELS].distinct("author"))
    assert authors == set(names)
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_a_million_tasks_of_200_writers_give_the_first_of_them_twenty_thousand() -> None:
    shares = Plan(1_000_000, 200, 1, datetime.now(UTC)).shares()
    assert 1_000_000 * shares[0] / shares[-1] == pytest.approx(20_000, rel=0.02)


def test_a_database_that_holds_tasks_is_left_alone_unless_told_otherwise(run: Run, store: Store) -> None:
    mine = store.task(TaskStatus.QUEUED)
    with pytest.raises(CommandError, match="holds tasks"):
        run("seed_console", *SMALL)
    assert list(store.all()) == [mine]
    assert not User.objects.filter(username="writer-001").exists()
    run("seed_console", *SMALL, "--beside-real-tasks")
    assert len(store.all()) == 2_001
    assert store.status(mine) == "QUEUED"


def test_too_small_a_database_is_refused(run: Run) -> None:
    with pytest.raises(CommandError, match="1000 or more"):
        run("seed_console", "--tasks", "10")


def test_without_tasks_and_without_beat_there_is_nothing_to_do(run: Run, store: Store) -> None:
    with pytest.raises(CommandError, match="Nothing to do: --tasks 0 needs --beat"):
        run("seed_console", "--tasks", "0")


def test_without_seeded_workers_none_are_said_to_report(run: Run, store: Store) -> None:
    with pytest.raises(CommandError, match="There are no seeded workers here"):
        run("seed_console", "--tasks", "0", "--beat")
