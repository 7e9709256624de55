"""`manage.py list_tasks`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError

from tasks_app.states import TaskStatus as S
from tests.commands.conftest import Store

Run = Callable[..., str]
RunJson = Callable[..., Any]


def test_the_table_shows_each_task_with_its_user(run: Run, store: Store, alice: Any) -> None:
    task = store.task(S.RETRYING, user_id=str(alice.pk), age=timedelta(hours=3))
    deleted = store.task(S.COMPLETED)
    printed = run("list_tasks")
    (line,) = (line for line in printed.splitlines() if line.startswith(task))
    assert line.split("  ")[0] == task
    for cell in ("GENERATE_SUMMARY", "RETRYING", "backoff", "alice", "1/5", "3 h ago"):
        assert cell in line
    assert any(line.startswith(deleted) and store.get(deleted)["userId"] in line for line in printed.splitlines())


def test_json_is_one_array_of_summaries_newest_first(run_json: RunJson, store: Store) -> None:
    old, new = store.task(S.RUNNING, age=timedelta(hours=1)), store.task(S.QUEUED)
    listed = run_json("list_tasks")
    assert [task["taskId"] for task in listed] == [new, old]
    assert listed[0]["waitingReason"]["code"] == "no_worker"
    assert listed[0]["createdAt"].endswith("Z")
    assert listed[1]["userId"] == store.get(old)["userId"]
    assert "parameters" not in listed[0]


def test_nothing_stored_is_an_empty_array(run: Run, run_json: RunJson) -> None:
    assert run_json("list_tasks") == []
    assert run("list_tasks").strip() == "No task matches."


def test_filters_narrow_each_other(run_json: RunJson, store: Store, alice: Any, bob: Any) -> None:
    wanted = store.task(S.FAILED, user_id=str(alice.pk), age=timedelta(days=3))
    store.task(S.FAILED, user_id=str(alice.pk), age=timedelta(days=1))
    store.task(S.FAILED, user_id=str(bob.pk), age=timedelta(days=3))
    store.task(S.COMPLETED, user_id=str(alice.pk), age=timedelta(days=3))
    store.task(S.FAILED, user_id=str(alice.pk), task_type="GENERATE_SCENE", age=timedelta(days=3))
    listed = run_json("list_tasks", "--user", "alice", "--status", "FAILED,INTERRUPTED", "--type", "generate-summary", "--older-than", "2d")
    assert [task["taskId"] for task in listed] == [wanted]


def test_a_batch_stands_for_its_tasks_unless_they_are_asked_for(run_json: RunJson, store: Store) -> None:
    batch, children = store.batch([S.COMPLETED, S.QUEUED])
    assert [task["taskId"] for task in run_json("list_tasks")] == [batch]
    assert {task["taskId"] for task in run_json("list_tasks", "--children")} == {batch, *children}
    assert [task["taskId"] for task in run_json("list_tasks", "--id", children[0])] == [children[0]]


def test_the_limit_is_kept_and_said(run: Run, run_json: RunJson, store: Store) -> None:
    ids = [store.task(age=timedelta(minutes=minutes)) for minutes in range(3)]
    assert [task["taskId"] for task in run_json("list_tasks", "--limit", "2")] == ids[:2]
    assert "The newest 2; there are more" in run("list_tasks", "--limit", "2")
    assert "there are more" not in run("list_tasks", "--limit", "3")


@pytest.mark.parametrize("limit", ["0", "-1", "many", "10001", "٣", "9" * 30])
def test_a_bad_limit_is_refused(run: Run, limit: str) -> None:
    with pytest.raises(CommandError, match=r"is not a whole number from 1 to 10000|expected one argument"):
        run("list_tasks", "--limit", limit)


def test_a_misspelt_type_is_warned_of(run: Run) -> None:
    assert "No task type GENERATE_SUMARY is known here; known are" in run("list_tasks", "--type", "generate-sumary")
