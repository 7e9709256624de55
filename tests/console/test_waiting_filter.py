"""The list by reasons to wait: what the overview counts is what the list shows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ainoval import mongo
from tasks_app.documents import TASKS, WORKERS
from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store
from tests.support import stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(staff: Staff, database_name: str) -> Any:
    return staff("view", "cancel")


@pytest.fixture
def worker(database_name: str) -> None:
    """A worker that has just reported."""
    report = {"_id": "w", "host": "h", "pid": 1, "cluster": "c", "slots": 200, "running": 1, "draining": False, "types": ["GENERATE_SUMMARY"]}
    mongo.sync_database()[WORKERS].insert_one(report | {"startedAt": datetime.now(UTC), "heartbeatAt": datetime.now(UTC)})


def listed(client: Any, query: str) -> set[str]:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    return {row.task_id for row in answer.context["rows"]}


def awaiting() -> Json:
    async def parent() -> Json:
        return await stored.awaiting(mongo.database(), total=2, task_type="BATCH_GENERATE_SUMMARY")

    return mongo.run(parent())


def test_each_reason_lists_the_tasks_that_show_it(client: Any, store: Store, worker: None) -> None:
    queued = store()["_id"]
    unknown = store(task_type="A_FORMER_TYPE")["_id"]
    retrying = store(TaskStatus.RETRYING)["_id"]
    running = store(TaskStatus.RUNNING)["_id"]
    done = store(TaskStatus.COMPLETED)["_id"]
    parent = awaiting()["_id"]
    found = {code: listed(client, f"waiting={code}") for code in ("queued", "unknown_type", "backoff", "awaiting_children", "no", "no_worker", "user_limit")}
    assert found == {
        "queued": {queued},
        "unknown_type": {unknown},
        "backoff": {retrying},
        "awaiting_children": {parent},
        "no": {running, done},
        "no_worker": set(),
        "user_limit": set(),
    }
    assert listed(client, "waiting=no&status=RUNNING") == {running}


def test_without_a_worker_all_that_could_begin_waits_for_one(client: Any, store: Store) -> None:
    tasks = {store()["_id"], store(task_type="A_FORMER_TYPE")["_id"], store(TaskStatus.RETRYING)["_id"]}
    mongo.sync_database()[TASKS].update_many({"status": TaskStatus.RETRYING}, {"$set": {"availableAt": datetime.now(UTC)}})
    store(TaskStatus.RETRYING)  # later
    assert listed(client, "waiting=no_worker") == tasks


def test_the_reason_can_be_typed_and_taken_off_again(client: Any, store: Store, worker: None) -> None:
    store()
    answer = client.get(f"{LIST}?q=waiting:queued", follow=True)
    assert answer.redirect_chain[-1][0].endswith("?waiting=queued")
    page = answer.content.decode()
    assert "waiting: queued" in page and 'value="waiting:queued"' in page
    assert [chip.query_without for chip in answer.context["chips"]] == [""]


def test_an_unknown_reason_is_told_and_lists_nothing(client: Any, store: Store) -> None:
    store()
    answer = client.get(f"{LIST}?waiting=boredom")
    assert answer.context["rows"] == []
    assert "There is no reason to wait “boredom”" in answer.content.decode()


def test_tabs_count_under_the_reason(client: Any, store: Store, worker: None) -> None:
    for _ in range(3):
        store()
    store(TaskStatus.RETRYING)
    answer = client.get(f"{LIST}?waiting=queued")
    assert {tab.key: tab.count for tab in answer.context["tabs"] if tab.count != "0"} == {"ALL": "3", "QUEUED": "3"}
