"""The list: what it shows, its tabs, filters and pages."""

from datetime import timedelta
from typing import Any

import pytest

from ainoval import mongo
from ainoval.ids import new_id
from ainoval.novels.documents import NOVELS, SCENES
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of
from tests.support import stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(staff: Staff, database_name: str) -> Any:
    return staff("view")


def listed(client: Any, query: str = "") -> list[str]:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    return [row.task_id for row in answer.context["rows"]]


def counts(client: Any, query: str = "") -> dict[str, str]:
    return {tab.status.value if tab.status else "ALL": tab.count for tab in client.get(f"{LIST}?{query}").context["tabs"]}


def test_every_status_has_a_tab_with_its_count_and_its_tasks(client: Any, store: Store) -> None:
    tasks = {status: store(status)["_id"] for status in TaskStatus}
    assert counts(client) == {"ALL": "9"} | dict.fromkeys(TaskStatus, "1")
    for status, task_id in tasks.items():
        assert listed(client, f"status={status}") == [task_id]
    assert set(listed(client)) == set(tasks.values())


def test_every_status_shows_its_word_its_icon_and_its_colour(client: Any, store: Store) -> None:
    for status in TaskStatus:
        store(status)
    page = client.get(LIST).content.decode()
    for status in TaskStatus:
        css = status.lower().replace("_", "-")
        assert f'<span class="status status--{css}"><svg class="status-icon" aria-hidden="true"><use href="#status-{css}"/></svg>' in page
        assert f'<symbol id="status-{css}"' in page


def test_filters_by_user_name_user_id_and_type(client: Any, store: Store, alice: Any, bob: Any) -> None:
    hers = store(user=str(alice.pk))["_id"]
    his = store(user=str(bob.pk), task_type="GENERATE_SCENE")["_id"]
    assert listed(client, "user=alice") == listed(client, f"user={alice.pk}") == [hers]
    assert listed(client, "type=GENERATE_SCENE") == listed(client, "user=bob&type=GENERATE_SCENE") == [his]
    assert listed(client, "user=alice&type=GENERATE_SCENE") == []
    assert counts(client, "user=alice")["QUEUED"] == "1"


def test_an_unknown_user_has_no_tasks_and_the_page_says_so(client: Any, store: Store) -> None:
    store()
    answer = client.get(f"{LIST}?user=nobody")
    assert answer.context["rows"] == []
    assert "There is no user “nobody”." in answer.content.decode()


def test_tasks_of_a_deleted_user_are_still_listed_and_found_by_the_id(client: Any, store: Store, alice: Any) -> None:
    user_id = str(alice.pk)
    task = store(user=user_id)["_id"]
    alice.delete()
    assert listed(client, f"user={user_id}") == [task]
    assert "deleted user" in client.get(LIST).content.decode()


def test_tasks_of_batches_are_shown_when_asked_for(client: Any, store: Store) -> None:
    parent = store(TaskStatus.COMPLETED_WITH_ERRORS)["_id"]
    child = store(parent_id=parent)["_id"]
    assert listed(client) == [parent]
    assert counts(client)["QUEUED"] == "0"
    assert set(listed(client, "children=1")) == {parent, child}
    assert listed(client, f"parent={parent}") == [child]
    assert counts(client, f"parent={parent}")["QUEUED"] == counts(client, "children=1")["QUEUED"] == "1"


def test_fifty_tasks_a_page_the_newest_first(client: Any, database_name: str) -> None:
    begin = stored.now()
    tasks = [stored.task(createdAt=begin + timedelta(seconds=n)) for n in range(120)]
    mongo.sync_database()[TASKS].insert_many(tasks)
    newest_first = [task["_id"] for task in reversed(tasks)]
    assert listed(client) == newest_first[:50]
    assert listed(client, "p=2") == newest_first[50:100]
    assert listed(client, "p=3&status=QUEUED") == newest_first[100:]
    page = client.get(f"{LIST}?p=2&status=QUEUED").content.decode()
    assert "51 to 100 of 120" in page
    assert f'rel="prev" href="{LIST}?status=QUEUED"' in page and f'rel="next" href="{LIST}?status=QUEUED&amp;p=3"' in page
    assert 'rel="next"' not in client.get(f"{LIST}?p=3").content.decode()
    assert "The list is shorter than this page." in client.get(f"{LIST}?p=9").content.decode()


@pytest.mark.parametrize(
    "query", ["p=-1", "p=0", "p=x", "p=1e9", "p=%D9%A1", "p=99999999999999999999", "status=NOPE", "type=%00", "user=%00", "parent=%ff", "p=", "x=y"]
)
def test_an_address_that_makes_no_sense_shows_a_list(query: str, client: Any, store: Store) -> None:
    store()
    assert client.get(f"{LIST}?{query}").status_code == 200


def test_a_very_deep_page_is_bounded(client: Any, store: Store) -> None:
    store()
    assert client.get(f"{LIST}?p=999999999").context["page_number"] == 2_000


def test_a_task_is_named_by_what_it_works_on(client: Any, store: Store, alice: Any) -> None:
    novel, scene = new_id(), new_id()
    database = mongo.sync_database()
    database[NOVELS].insert_one({"_id": novel, "author": str(alice.pk), "title": "The Long Rain"})
    database[SCENES].insert_one({"_id": scene, "novelId": novel, "chapterId": "c", "sequence": 12, "title": "", "content": "It rained."})
    store(parameters={"sceneId": scene})
    store(task_type="BATCH_GENERATE_SUMMARY", parameters={"novelId": novel, "sceneIds": [scene, new_id()]})
    store(parameters={"sceneId": "gone"})
    rows = client.get(LIST).context["rows"]
    shown = {(row.subject.label, row.subject.novel) for row in rows}
    assert shown == {("Scene 12", "The Long Rain"), ("2 scenes", "The Long Rain"), ("gone", "")}


def test_a_waiting_task_says_why_and_a_running_one_for_how_long(client: Any, store: Store) -> None:
    store()
    running: Json = store(TaskStatus.RUNNING)
    retrying = store(TaskStatus.RETRYING)
    rows = {row.task_id: row for row in client.get(LIST).context["rows"]}
    page = client.get(LIST).content.decode()
    assert "No worker is running; the task begins when one is started." in page
    assert rows[running["_id"]].clock.text.startswith("for ") and rows[running["_id"]].clock.why == ""
    assert rows[retrying["_id"]].clock.text.startswith("again in ") and rows[retrying["_id"]].error_code == "it_broke"
    assert f'href="{page_of(running)}"' in page


def test_progress_is_a_bar_with_its_message(client: Any, store: Store) -> None:
    store(progress={"percentage": 40, "message": "Chapter 2", "current": 2, "total": 5})
    page = client.get(LIST).content.decode()
    assert '<progress max="100" value="40"' in page
    assert "Chapter 2" in page and "(2 / 5)" in page
