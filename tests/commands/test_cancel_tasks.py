"""`manage.py cancel_tasks`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError

from tasks_app.states import TaskStatus as S
from tests.commands.conftest import Store

Run = Callable[..., str]


def test_waiting_tasks_are_cancelled_at_once_and_running_ones_asked_to_stop(run: Run, store: Store) -> None:
    queued, retrying, running, done = store.task(S.QUEUED), store.task(S.RETRYING), store.task(S.RUNNING), store.task(S.COMPLETED)
    printed = run("cancel_tasks", "--all", "--yes")
    assert printed.strip() == "Cancelled 2 waiting tasks at once and asked 1 running task to stop."
    assert [store.status(each) for each in (queued, retrying, running, done)] == ["CANCELLED", "CANCELLED", "CANCELLING", "COMPLETED"]
    assert store.get(queued)["expireAt"] > store.get(queued)["completedAt"]


def test_a_second_run_finds_nothing_to_do(run: Run, store: Store) -> None:
    task = store.task(S.QUEUED)
    run("cancel_tasks", "--id", task, "--yes")
    before = store.all()
    assert run("cancel_tasks", "--id", task, "--yes").strip() == "Nothing to cancel."
    assert store.all() == before


def test_a_dry_run_says_how_many_and_changes_nothing(run: Run, store: Store) -> None:
    store.task(S.QUEUED)
    store.task(S.QUEUED)
    store.task(S.RUNNING)
    before = store.all()
    printed = run("cancel_tasks", "--all", "--dry-run")
    assert printed.strip() == "Would cancel 3 tasks (2 QUEUED, 1 RUNNING); the tasks of a batch are cancelled with it. Dry run: nothing was changed."
    assert store.all() == before


def test_cancelling_a_batch_cancels_its_tasks_and_ends_it_when_none_runs(run: Run, store: Store) -> None:
    batch, children = store.batch([S.QUEUED, S.COMPLETED, S.RETRYING])
    printed = run("cancel_tasks", "--id", batch, "--yes")
    assert "with the tasks of 1 batch." in printed
    assert [store.status(child) for child in children] == ["CANCELLED", "COMPLETED", "CANCELLED"]
    assert store.status(batch) == "CANCELLED"
    assert store.get(children[0])["expireAt"] > store.get(batch)["expireAt"]


def test_a_cancelled_batch_waits_for_its_running_task(run: Run, store: Store) -> None:
    batch, (running, queued) = store.batch([S.RUNNING, S.QUEUED])
    run("cancel_tasks", "--id", batch, "--yes")
    assert [store.status(each) for each in (batch, running, queued)] == ["CANCELLING", "CANCELLING", "CANCELLED"]


def test_only_the_selected_user_and_type_and_status_are_cancelled(run: Run, store: Store, alice: Any, bob: Any) -> None:
    chosen = store.task(user_id=str(alice.pk))
    others = [
        store.task(user_id=str(bob.pk)),
        store.task(user_id=str(alice.pk), task_type="GENERATE_SCENE"),
        store.task(S.RUNNING, user_id=str(alice.pk)),
    ]
    run("cancel_tasks", "--user", "alice", "--type", "generate-summary", "--status", "queued", "--yes")
    assert store.status(chosen) == "CANCELLED"
    assert "CANCELLED" not in [store.status(each) for each in others]


def test_a_user_may_be_named_by_id_even_when_deleted(run: Run, store: Store, alice: Any) -> None:
    task = store.task(user_id=str(alice.pk))
    key = str(alice.pk)
    alice.delete()
    run("cancel_tasks", "--user", key, "--yes")
    assert store.status(task) == "CANCELLED"


def test_age_counts_from_the_submission(run: Run, store: Store) -> None:
    old, young = store.task(age=timedelta(hours=3)), store.task(age=timedelta(hours=1))
    run("cancel_tasks", "--older-than", "2h", "--yes")
    assert [store.status(old), store.status(young)] == ["CANCELLED", "QUEUED"]


def test_more_tasks_than_one_group_holds_are_all_cancelled(run: Run, store: Store) -> None:
    batch, _ = store.batch([S.QUEUED] * 1_100)
    printed = run("cancel_tasks", "--type", "GENERATE_SUMMARY", "--yes")
    assert printed.startswith("Cancelled 1,100 waiting tasks at once")
    # Its children were cancelled one by one, so the batch ends by itself.
    assert store.status(batch) == "COMPLETED"


def test_an_id_that_does_not_exist_is_a_failure_and_the_others_are_cancelled(run: Run, store: Store) -> None:
    task = store.task()
    with pytest.raises(CommandError, match=r"^0{24}: There is no such task\.$"):
        run("cancel_tasks", "--id", "0" * 24, "--id", task, "--yes")
    assert store.status(task) == "CANCELLED"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Say which tasks to cancel"),
        (["--yes"], "Say which tasks to cancel"),
        (["--all", "--user", "alice", "--yes"], "--all stands alone"),
        (["--id", "xyz"], "is not a task's id"),
        (["--status", "DONE"], "cannot be chosen here: choose from QUEUED"),
        (["--status", "COMPLETED"], "cannot be chosen here"),
        (["--type", "no such"], "is not a task type"),
        (["--user", "nobody"], "There is no user 'nobody'"),
        (["--user", "", "--status", "QUEUED", "--yes"], "There is no user ''"),
        (["--user", "", "--yes"], "There is no user ''"),
        (["--older-than", "7"], "is not a duration"),
        (["--older-than", "999999999w"], "longer than a century"),
        (["--older-than", "-1d"], "expected one argument"),
    ],
)
def test_bad_arguments_are_refused_in_words(run: Run, store: Store, arguments: list[str], complaint: str) -> None:
    task = store.task()
    with pytest.raises(CommandError, match=complaint):
        run("cancel_tasks", *arguments)
    assert store.status(task) == "QUEUED"


def test_without_a_terminal_and_without_yes_nothing_is_done(run: Run, store: Store) -> None:
    task = store.task()
    with pytest.raises(CommandError, match=r"About to cancel 1 task \(1 QUEUED\); .*\. There is no terminal to ask on: add --yes"):
        run("cancel_tasks", "--all")
    assert store.status(task) == "QUEUED"


def test_a_type_that_nothing_here_knows_can_still_be_cancelled_with_a_warning(run: Run, store: Store) -> None:
    task = store.task(task_type="REMOVED_TYPE")
    printed = run("cancel_tasks", "--type", "REMOVED_TYPE", "--yes")
    assert "No task type REMOVED_TYPE is known here" in printed
    assert store.status(task) == "CANCELLED"
