"""`manage.py task_stats`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ainoval import mongo
from tasks_app.documents import WORKERS
from tasks_app.states import TaskStatus as S
from tests.commands.conftest import Store

Run = Callable[..., str]
RunJson = Callable[..., Any]


def reported(name: str, *, age: timedelta = timedelta(0), types: tuple[str, ...] = ("GENERATE_SUMMARY",)) -> None:
    """Store a worker's report."""
    now = datetime.now(UTC)
    worker = {
        "_id": name,
        "host": "host",
        "pid": 4711,
        "cluster": "cluster",
        "startedAt": now - age,
        "heartbeatAt": now - age,
        "slots": 200,
        "running": 3,
        "draining": False,
        "types": list(types),
    }
    mongo.sync_database()[WORKERS].insert_one(worker)


def test_everything_is_counted(run_json: RunJson, store: Store, settings: Any) -> None:
    settings.AINOVAL = settings.AINOVAL.model_copy(update={"tasks_max_running": 7, "tasks_max_running_per_user": 1, "tasks_type_limits": {"GENERATE_SCENE": 5}})
    reported("worker-a", types=("GENERATE_SUMMARY", "GENERATE_SCENE"))
    reported("worker-b", age=timedelta(minutes=5))
    store.task(S.QUEUED, age=timedelta(hours=2))
    store.task(S.QUEUED, user_id="bob", task_type="GENERATE_SCENE")
    store.task(S.QUEUED, user_id="bob", task_type="REMOVED_TYPE")
    store.task(S.RUNNING)
    store.task(S.RETRYING)
    store.batch([S.COMPLETED, S.COMPLETED])
    shown = run_json("task_stats")
    assert shown["byStatus"] == {status.value: 0 for status in S} | {"QUEUED": 3, "RUNNING": 2, "RETRYING": 1, "COMPLETED": 2}
    assert shown["byType"]["GENERATE_SUMMARY"] == {"COMPLETED": 2, "QUEUED": 1, "RETRYING": 1, "RUNNING": 1}
    assert shown["waitingReasons"] == {"user_limit": 1, "queued": 1, "unknown_type": 1, "backoff": 1, "awaiting_children": 1}
    assert 7_200 <= shown["oldestWaitSeconds"] < 7_300
    assert shown["running"]["total"] == {"running": 1, "limit": 7}
    assert shown["running"]["byType"] == {"GENERATE_SCENE": {"running": 0, "limit": 5}, "GENERATE_SUMMARY": {"running": 1, "limit": None}}
    assert shown["running"]["usersAtLimit"] == 1
    assert [(worker["name"], worker["alive"]) for worker in shown["workers"]] == [("worker-a", True), ("worker-b", False)]
    assert 295 < shown["workers"][1]["heartbeatAgeSeconds"] < 310


def test_people_read_tables_and_sentences(run: Run, store: Store) -> None:
    reported("worker-a")
    store.task(S.QUEUED, age=timedelta(hours=2))
    printed = run("task_stats")
    assert "1 task in all" in printed
    assert "Waiting: 1 queued; the oldest has been queued for 2 h." in printed
    assert "Workers: 1 alive." in printed
    assert any(line.startswith("worker-a") and "4711" in line for line in printed.splitlines())


def test_an_empty_system_says_so(run: Run, run_json: RunJson) -> None:
    printed = run("task_stats")
    assert "0 tasks in all" in printed
    assert "Waiting: nothing." in printed
    assert "Workers: none alive. Start them with `manage.py qcluster`." in printed
    assert run_json("task_stats")["oldestWaitSeconds"] is None


def test_a_number_of_users_is_said_with_the_setting_that_limits_them(run: Run, store: Store, settings: Any) -> None:
    settings.AINOVAL = settings.AINOVAL.model_copy(update={"tasks_max_running_per_user": 1})
    store.task(S.RUNNING)
    assert "Running: 1 (no limit); users at their own limit (TASKS_MAX_RUNNING_PER_USER): 1." in run("task_stats")
