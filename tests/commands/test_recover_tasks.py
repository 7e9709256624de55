"""`manage.py recover_tasks`."""

import re
import time
from collections.abc import Callable

import pytest
from django.core.management.base import CommandError

from ainoval import mongo
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus as S
from tests.commands.conftest import Store
from tests.support.tasks import task_document

Run = Callable[..., str]


def test_a_lost_workers_tasks_go_back_and_a_living_ones_stay(run: Run, store: Store) -> None:
    lost, cancelling = store.task(S.RUNNING, lease_seconds=-60), store.task(S.CANCELLING, lease_seconds=-60)
    alive = store.task(S.RUNNING)
    printed = run("recover_tasks")
    assert printed.startswith("Recovered 2 tasks of lost workers, now 1 CANCELLED, 1 QUEUED;")
    task = store.get(lost)
    assert (task["status"], task["attempt"], task["crashCount"]) == ("QUEUED", 0, 1)
    assert "lease" not in task
    assert [store.status(cancelling), store.status(alive)] == ["CANCELLED", "RUNNING"]


def test_the_third_loss_interrupts(run: Run, store: Store) -> None:
    poisonous = store.task(S.RUNNING, lease_seconds=-60, crashCount=2)
    assert "now 1 INTERRUPTED;" in run("recover_tasks")
    assert store.get(poisonous)["errorInfo"]["code"] == "worker_lost"


def test_mark_failed_ends_them_instead(run: Run, store: Store) -> None:
    lost = store.task(S.RUNNING, lease_seconds=-60)
    assert "now 1 FAILED;" in run("recover_tasks", "--mark-failed")
    assert store.status(lost) == "FAILED"


def test_older_than_leaves_leases_that_ran_out_lately(run: Run, store: Store) -> None:
    long_ago, lately = store.task(S.RUNNING, lease_seconds=-1_200), store.task(S.RUNNING, lease_seconds=-60)
    run("recover_tasks", "--older-than", "10m")
    assert [store.status(long_ago), store.status(lately)] == ["QUEUED", "RUNNING"]


def test_a_batch_whose_tasks_have_all_ended_ends(run: Run, store: Store) -> None:
    batch, _ = store.batch([S.COMPLETED, S.FAILED])
    waiting, _ = store.batch([S.COMPLETED, S.QUEUED])
    assert "ended 1 batch;" in run("recover_tasks")
    assert [store.status(batch), store.status(waiting)] == ["COMPLETED_WITH_ERRORS", "RUNNING"]


def test_the_last_task_of_a_batch_that_is_lost_for_good_ends_the_batch_too(run: Run, store: Store) -> None:
    batch, (lost, _) = store.batch([S.RUNNING, S.COMPLETED])
    mongo.sync_database()[TASKS].update_one({"_id": lost}, [{"$set": {"lease.expiresAt": "$createdAt", "crashCount": 2}}])
    run("recover_tasks", "--older-than", "0s")
    assert [store.status(lost), store.status(batch)] == ["INTERRUPTED", "COMPLETED_WITH_ERRORS"]


def test_queued_tasks_of_an_ended_batch_are_cancelled(run: Run, store: Store) -> None:
    _, (queued, completed) = store.batch([S.QUEUED, S.COMPLETED], status=S.INTERRUPTED)
    assert "cancelled what was queued of 1 ended batch." in run("recover_tasks")
    assert [store.status(queued), store.status(completed)] == ["CANCELLED", "COMPLETED"]


def test_a_dry_run_says_all_of_it_and_changes_nothing(run: Run, store: Store) -> None:
    store.task(S.RUNNING, lease_seconds=-60)
    store.batch([S.COMPLETED])
    store.batch([S.QUEUED], status=S.INTERRUPTED)
    before = store.all()
    printed = run("recover_tasks", "--dry-run")
    assert printed.startswith(
        "Would recover 1 task of lost workers (1 RUNNING), end 1 batch, and cancel what is queued of 1 ended batch. Dry run: nothing was changed."
    )
    assert "host:cluster:worker: 1 task" in printed
    assert store.all() == before


@pytest.mark.parametrize(
    ("batch", "children", "losses", "options"),
    [
        (S.RUNNING, [S.RUNNING, S.COMPLETED], 0, ("--mark-failed",)),
        (S.RUNNING, [S.RUNNING, S.COMPLETED], 2, ()),
        (S.RUNNING, [S.RUNNING, S.COMPLETED], 0, ()),
        (S.CANCELLING, [S.CANCELLING, S.COMPLETED], 0, ()),
        (S.CANCELLING, [S.RUNNING, S.QUEUED, S.RETRYING], 0, ()),
    ],
)
def test_a_dry_run_counts_the_batches_that_end_with_their_lost_tasks(
    batch: S, children: list[S], losses: int, options: tuple[str, ...], run: Run, store: Store
) -> None:
    store.batch(children, status=batch)
    mongo.sync_database()[TASKS].update_many({"lease": {"$exists": True}}, [{"$set": {"lease.expiresAt": "$createdAt", "crashCount": losses}}])
    time.sleep(0.01)
    ended = [re.search(r"end(?:ed)? (\d+) batch", run("recover_tasks", *options, *dry)) for dry in (("--dry-run",), ())]
    assert ended[0] and ended[1] and ended[0][1] == ended[1][1]


def test_a_dry_run_says_that_what_was_being_cancelled_is_not_marked_failed(run: Run, store: Store) -> None:
    lost, cancelling = store.task(S.RUNNING, lease_seconds=-60), store.task(S.CANCELLING, lease_seconds=-60)
    would = run("recover_tasks", "--mark-failed", "--dry-run")
    assert would.startswith("Would mark failed 1 task of lost workers, cancel 1 that were being cancelled, end 0 batches,")
    run("recover_tasks", "--mark-failed")
    assert [store.status(lost), store.status(cancelling)] == ["FAILED", "CANCELLED"]


def test_a_second_run_changes_nothing(run: Run, store: Store) -> None:
    store.task(S.RUNNING, lease_seconds=-60)
    store.batch([S.COMPLETED])
    run("recover_tasks")
    before = store.all()
    assert run("recover_tasks").startswith("Recovered 0 tasks of lost workers; ended 0 batches;")
    assert store.all() == before


def test_more_than_one_group_is_recovered(run: Run, store: Store) -> None:
    mongo.sync_database()[TASKS].insert_many([task_document(status=S.RUNNING, lease_seconds=-60) for _ in range(1_050)])
    assert run("recover_tasks").startswith("Recovered 1,050 tasks of lost workers, now 1,050 QUEUED;")


def test_a_bad_duration_is_refused(run: Run) -> None:
    with pytest.raises(CommandError, match="is not a duration"):
        run("recover_tasks", "--older-than", "soon")
