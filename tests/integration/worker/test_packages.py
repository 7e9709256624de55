"""django-q2's packages: what a worker was executing when it ended is executed by another, at once."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django_q.conf import Conf
from django_q.models import Task
from django_q.tasks import async_task

from ainoval import mongo
from tasks_app.worker import packages
from tasks_app.worker.broker import COLLECTION, MAX_DELIVERIES, MongoBroker

QUEUE = "tests"


@pytest.fixture(autouse=True)
def _database(database_name: str) -> Iterator[None]:
    yield


def broker(owner: str | None = None) -> MongoBroker:
    made = MongoBroker(QUEUE)
    made.owner = owner
    return made


def stored() -> dict[str, object]:
    [package] = mongo.sync_database()[COLLECTION].find({})
    return package


def test_a_package_that_was_taken_is_hidden_until_its_time_is_over() -> None:
    first, second = broker("first"), broker("second")
    first.enqueue("payload")
    [(ack_id, payload)] = first.dequeue() or []
    assert payload == "payload" and second.dequeue() is None
    assert stored()["dueAt"] > datetime.now(UTC) + timedelta(seconds=Conf.RETRY - 60)  # type: ignore[operator]
    first.acknowledge(ack_id)
    assert mongo.sync_database()[COLLECTION].count_documents({}) == 0


def test_what_a_dead_worker_held_is_due_at_once_and_its_delivery_counts() -> None:
    dead, other, successor = broker("dead"), broker("other"), broker("successor")
    for name in ("a", "b"):
        dead.enqueue(name)
    assert dead.dequeue() and other.dequeue()
    assert successor.hand_back("dead", lost=True) == 1
    assert [payload for _, payload in successor.dequeue() or []] == ["a"]
    assert successor.dequeue() is None  # the other one's is still hidden
    assert sorted(package["deliveries"] for package in mongo.sync_database()[COLLECTION].find({})) == [1, 2]


def test_a_package_that_kills_its_workers_is_not_delivered_for_ever() -> None:
    queue = broker("poisoned")
    queue.enqueue("poison")
    for _ in range(MAX_DELIVERIES):
        assert queue.dequeue()
        queue.hand_back("poisoned", lost=True)
    assert queue.dequeue() is None


def test_what_a_worker_hands_back_at_its_stop_costs_no_delivery() -> None:
    queue = broker("stopped")
    queue.enqueue("payload")
    for _ in range(2 * MAX_DELIVERIES):
        assert queue.dequeue()
        assert queue.hand_back("stopped", lost=False) == 1
    assert stored()["deliveries"] == 0


def calls_exit() -> None:
    sys.exit("That is all.")


@pytest.mark.django_db(transaction=True)
def test_a_package_that_calls_exit_fails_and_leaves_its_thread_to_the_next() -> None:
    queue = broker()
    async_task(calls_exit, task_name="exits", broker=queue)
    [(ack_id, payload)] = queue.dequeue() or []
    packages._execute(queue, ack_id, payload)
    assert not Task.objects.get(name="exits").success
