"""The task page: why it waits, what happened, and manuscript text only for those who may read it."""

from typing import Any

import pytest
from django.utils.html import escape

from ainoval import mongo
from tasks_app import lifecycle
from tasks_app.states import TaskStatus
from tests.console.conftest import Json, Staff, Store, page_of
from tests.support import stored

pytestmark = pytest.mark.django_db

SECRET = "She opened the letter and it was empty."


@pytest.fixture
def client(staff: Staff) -> Any:
    return staff("view")


@pytest.mark.parametrize("status", sorted(TaskStatus))
def test_every_status_has_its_page(status: TaskStatus, client: Any, store: Store) -> None:
    task = store(status)
    answer = client.get(page_of(task))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert task["_id"] in page and f"status--{status.lower().replace('_', '-')}" in page


def test_a_queued_task_says_why_it_waits_and_its_place_in_the_queue(client: Any, store: Store) -> None:
    store()
    page = client.get(page_of(store())).content.decode()
    assert "No worker is running; the task begins when one is started." in page
    assert "Place 2 in the queue." in page


def test_a_retrying_task_says_when_it_goes_on_and_what_went_wrong(client: Any, store: Store) -> None:
    page = client.get(page_of(store(TaskStatus.RETRYING))).content.decode()
    assert "The last attempt failed; the next one begins after a pause." in page
    assert "again in " in page and "it_broke" in page and "It broke." in page


def test_attempts_show_error_code_traceback_tokens_and_worker(client: Any, store: Store) -> None:
    async def failed() -> Json:
        db = mongo.database()
        task = await stored.running(db, task_type="GENERATE_SUMMARY")
        record = stored.record(task, prompt_tokens=120, completion_tokens=34)
        transition = lifecycle.fail(task["_id"], record, stored.BROKEN, progress=dict(lifecycle.NO_PROGRESS), expire_at=None)
        assert await stored.change(db, transition) == 1
        return task

    task = mongo.run(failed())
    page = client.get(page_of(task)).content.decode()
    for shown in ("it_broke", "It broke.", "Traceback: it broke", "120 in, 34 out", stored.OWNER):
        assert shown in page
    assert task["lease"]["token"] not in page


def test_the_fencing_token_is_on_no_page(client: Any, store: Store) -> None:
    task = store(TaskStatus.RUNNING, draft={"text": "x", "token": "token-of-the-draft"})
    page = client.get(page_of(task)).content.decode()
    assert task["lease"]["token"] not in page and "token-of-the-draft" not in page
    assert task["lease"]["owner"] in page


TEXTS: list[Json] = [
    {"parameters": {"sceneId": "s", "summary": SECRET}},
    {"parameters": {"sceneId": "s", "instructions": SECRET}},
    {"parameters": {"sceneId": "s", "style": SECRET}},
    {"result": {"summary": SECRET}},
    {"result": {"content": SECRET}},
    {"result": {"draft": SECRET}},
    {"result": {"draft": {"parts": [SECRET]}}},
    {"draft": {"text": SECRET, "sceneVersion": 1}},
]


@pytest.mark.parametrize("fields", TEXTS)
def test_manuscript_text_is_masked_for_those_who_may_not_read_it(fields: Json, client: Any, staff: Staff, store: Store) -> None:
    task = store(**fields)
    page = client.get(page_of(task)).content.decode()
    assert SECRET not in page
    assert f"••• ({len(SECRET)} characters)" in page
    reader = staff("view", "view_text").get(page_of(task)).content.decode()
    assert SECRET in reader and "•••" not in reader


def test_ids_and_numbers_are_not_masked(client: Any, store: Store) -> None:
    page = client.get(page_of(store(result={"sceneId": "scene-7", "wordCount": 4321, "summary": None}))).content.decode()
    assert "scene-7" in page and "4321" in page and escape('"summary": null') in page


def test_a_batch_shows_its_tasks_as_coloured_cells_that_lead_to_them(client: Any, store: Store) -> None:
    parent = store(TaskStatus.COMPLETED_WITH_ERRORS)
    children = [store(status, parent_id=parent["_id"], task_type="GENERATE_SUMMARY") for status in (TaskStatus.FAILED, TaskStatus.QUEUED, TaskStatus.QUEUED)]
    answer = client.get(page_of(parent))
    page = answer.content.decode()
    for child in children:
        assert f'class="cell cell--{child["status"].lower()}" href="{page_of(child)}"' in page
    assert [cell.task_id for cell in answer.context["task"].cells] == [child["_id"] for child in children]
    assert {entry.status.value: entry.count for entry in answer.context["task"].child_counts} == {"QUEUED": 2, "FAILED": 1}
    assert page_of(parent) in client.get(page_of(children[0])).content.decode()


@pytest.mark.parametrize("task_id", ["f" * 24, "x", "%00", "..%2f", "%F0%9F%98%80", "$where"])
def test_an_id_that_is_not_there_gets_the_consoles_own_404(task_id: str, client: Any, store: Store) -> None:
    store()
    answer = client.get(f"/admin/tasks_app/backgroundtask/{task_id}/")
    assert answer.status_code == 404
    if "/" not in task_id and "%2f" not in task_id:
        assert "There is no task with this id." in answer.content.decode()
