"""`manage.py purge_tasks`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management.base import CommandError

from tasks_app.states import TaskStatus as S
from tests.commands.conftest import Store

Run = Callable[..., str]


def test_only_ended_tasks_go(run: Run, store: Store) -> None:
    for status in S:
        store.task(status)
    assert run("purge_tasks", "--all", "--yes").strip() == "Purged 5 tasks, those of batches included."
    assert sorted(task["status"] for task in store.all().values()) == ["CANCELLING", "QUEUED", "RETRYING", "RUNNING"]


def test_a_batch_goes_with_its_whole_family(run: Run, store: Store) -> None:
    store.batch([S.COMPLETED, S.FAILED, S.CANCELLED], status=S.COMPLETED_WITH_ERRORS)
    other, _ = store.batch([S.COMPLETED, S.QUEUED])
    assert run("purge_tasks", "--all", "--yes").startswith("Purged 4 tasks")
    assert len(store.all()) == 3
    assert store.status(other) == "RUNNING"


def test_a_task_of_a_batch_is_refused_by_id(run: Run, store: Store) -> None:
    batch, (child,) = store.batch([S.COMPLETED], status=S.COMPLETED)
    with pytest.raises(CommandError, match=f"It belongs to the batch {batch}: purge the batch."):
        run("purge_tasks", "--id", child, "--yes")
    assert len(store.all()) == 2


def test_a_batch_with_unfinished_tasks_is_kept_and_they_are_cancelled(run: Run, store: Store) -> None:
    batch, (queued, running) = store.batch([S.QUEUED, S.RUNNING], status=S.INTERRUPTED)
    printed = run("purge_tasks", "--id", batch, "--yes")
    assert "Kept 1 batch with unfinished tasks, which were cancelled" in printed
    assert [store.status(each) for each in (batch, queued, running)] == ["INTERRUPTED", "CANCELLED", "CANCELLING"]


def test_age_counts_from_the_end(run: Run, store: Store) -> None:
    store.task(S.COMPLETED, age=timedelta(days=8))
    young = store.task(S.COMPLETED, age=timedelta(days=6))
    ended_now = store.task(S.COMPLETED, age=timedelta(days=8), completedAt=datetime.now(UTC))
    assert run("purge_tasks", "--older-than", "7d", "--yes").startswith("Purged 1 task,")
    assert set(store.all()) == {young, ended_now}


def test_a_dry_run_deletes_nothing_and_says_that_a_batch_counts_as_one(run: Run, store: Store) -> None:
    store.task(S.COMPLETED)
    store.batch([S.COMPLETED, S.COMPLETED], status=S.COMPLETED)
    before = store.all()
    said = (
        "Would purge 2 tasks (2 COMPLETED); a batch counts as one and goes with all its tasks, "
        "or stays if some of them have not ended, which are cancelled. Dry run"
    )
    assert run("purge_tasks", "--all", "--dry-run").startswith(said)
    assert store.all() == before


def test_a_second_run_finds_nothing_to_do(run: Run, store: Store) -> None:
    task = store.task(S.COMPLETED)
    run("purge_tasks", "--id", task, "--yes")
    assert run("purge_tasks", "--id", task, "--yes").strip() == "Nothing to purge."


def test_a_running_task_is_refused_by_id(run: Run, store: Store) -> None:
    task = store.task(S.RUNNING)
    with pytest.raises(CommandError, match=r"It is RUNNING, and cannot be purged\."):
        run("purge_tasks", "--id", task, "--yes")
    assert store.status(task) == "RUNNING"
