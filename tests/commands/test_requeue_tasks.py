"""`manage.py requeue_tasks`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management.base import CommandError

from tasks_app.states import TaskStatus as S
from tests.commands.conftest import Store

Run = Callable[..., str]


def test_everything_that_did_not_complete_goes_back_to_the_queue(run: Run, store: Store) -> None:
    back = [store.task(status, attempt=5, crashCount=2) for status in (S.FAILED, S.INTERRUPTED, S.CANCELLED, S.COMPLETED_WITH_ERRORS)]
    stays = store.task(S.COMPLETED), store.task(S.RUNNING), store.task(S.RETRYING)
    before = [store.get(each) for each in stays]
    assert run("requeue_tasks", "--all", "--yes").strip() == "Requeued 4 tasks."
    for task_id in back:
        task = store.get(task_id)
        assert (task["status"], task["attempt"], task["crashCount"], task["completedAt"]) == ("QUEUED", 0, 0, None)
        assert not {"errorInfo", "expireAt", "lease"} & set(task)
    assert [store.get(each) for each in stays] == before


def test_a_second_run_finds_nothing_to_do(run: Run, store: Store) -> None:
    task = store.task(S.FAILED)
    run("requeue_tasks", "--id", task, "--yes")
    before = store.all()
    assert run("requeue_tasks", "--id", task, "--yes").strip() == "Nothing to requeue."
    assert store.all() == before


def test_a_dry_run_changes_nothing(run: Run, store: Store) -> None:
    store.task(S.FAILED)
    before = store.all()
    said = "Would requeue 1 task (1 FAILED); a batch counts as one and runs those of its tasks that did not complete. Dry run"
    assert run("requeue_tasks", "--status", "FAILED", "--dry-run").startswith(said)
    assert store.all() == before


def test_the_oldest_come_first_again_and_share_the_queue_by_user(run: Run, store: Store) -> None:
    newest, oldest, middle = (store.task(S.FAILED, age=timedelta(hours=hours)) for hours in (1, 3, 2))
    run("requeue_tasks", "--all", "--yes")
    keys = [store.get(each)["fairKey"] for each in (oldest, middle, newest)]
    assert keys == sorted(set(keys))


def test_a_batch_is_requeued_and_its_tasks_are_left_to_it(run: Run, store: Store) -> None:
    batch, children = store.batch([S.FAILED, S.COMPLETED], status=S.FAILED)
    assert run("requeue_tasks", "--status", "FAILED", "--yes").strip() == "Requeued 1 task."
    assert store.status(batch) == "QUEUED"
    assert [store.status(child) for child in children] == ["FAILED", "COMPLETED"]


def test_a_task_of_a_batch_is_refused_by_id(run: Run, store: Store) -> None:
    batch, (child,) = store.batch([S.FAILED], status=S.FAILED)
    with pytest.raises(CommandError, match=f"{child}: It belongs to the batch {batch}: requeue the batch."):
        run("requeue_tasks", "--id", child, "--yes")
    assert store.status(child) == "FAILED"


def test_a_completed_task_is_refused_by_id(run: Run, store: Store) -> None:
    task = store.task(S.COMPLETED)
    with pytest.raises(CommandError, match=r"It is COMPLETED, and cannot be requeued\."):
        run("requeue_tasks", "--id", task, "--yes")
    assert store.status(task) == "COMPLETED"


def test_age_counts_from_the_end(run: Run, store: Store) -> None:
    ended_now = store.task(S.FAILED, age=timedelta(days=9), completedAt=datetime.now(UTC))
    ended_long_ago = store.task(S.FAILED, age=timedelta(days=9))
    run("requeue_tasks", "--older-than", "7d", "--yes")
    assert [store.status(ended_now), store.status(ended_long_ago)] == ["FAILED", "QUEUED"]


def test_more_than_one_group_and_several_users(run: Run, store: Store) -> None:
    for user in range(2):
        for _ in range(3):
            store.task(S.FAILED, user_id=f"user-{user}")
    batch, _ = store.batch([S.COMPLETED], status=S.COMPLETED_WITH_ERRORS)
    assert run("requeue_tasks", "--all", "--yes").strip() == "Requeued 7 tasks."
    assert store.status(batch) == "QUEUED"


def test_tasks_that_nothing_here_can_run_are_left_alone_and_named(run: Run, store: Store) -> None:
    unknown, known = store.task(S.FAILED, task_type="REMOVED_TYPE"), store.task(S.FAILED)
    would = run("requeue_tasks", "--all", "--dry-run")
    assert "of these it would leave alone 1 task of type REMOVED_TYPE, which nothing here can run. Dry run" in would
    printed = run("requeue_tasks", "--all", "--yes")
    assert printed.strip() == "Requeued 1 task. Left alone 1 task of type REMOVED_TYPE, which nothing here can run."
    assert [store.status(unknown), store.status(known)] == ["FAILED", "QUEUED"]


def test_a_priority_is_theirs_from_now_on(run: Run, store: Store) -> None:
    task = store.task(S.FAILED)
    run("requeue_tasks", "--id", task, "--priority", "-3", "--yes")
    assert store.get(task)["priority"] == -3


def test_a_priority_beyond_the_range_is_refused(run: Run, store: Store) -> None:
    task = store.task(S.FAILED)
    with pytest.raises(CommandError, match="--priority: invalid choice"):
        run("requeue_tasks", "--id", task, "--priority", "11", "--yes")
    assert store.get(task)["status"] == "FAILED"
