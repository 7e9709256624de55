"""The task page: why it waits, what happened, and manuscript text only for those who may read it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils.html import escape

from ainoval import mongo
from tasks_app import lifecycle, outcomes
from tasks_app import waiting as waiting_module
from tasks_app.documents import TASKS, WORKERS
from tasks_app.errors import RetryLater
from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of
from tests.support import stored

pytestmark = pytest.mark.django_db

SECRET = "She opened the letter and it was empty."


@pytest.fixture
def client(staff: Staff) -> Any:
    return staff("view")


@pytest.fixture
def reader(staff: Staff) -> Any:
    """One who may read manuscript text."""
    return staff("view", "view_text")


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


def test_a_retrying_task_says_when_it_goes_on_and_what_went_wrong(reader: Any, store: Store) -> None:
    page = reader.get(page_of(store(TaskStatus.RETRYING))).content.decode()
    assert "The last attempt failed; the next one begins after a pause." in page
    assert "again in " in page and "it_broke" in page and "It broke." in page


def test_attempts_show_error_code_traceback_tokens_and_worker(reader: Any, store: Store) -> None:
    async def failed() -> Json:
        db = mongo.database()
        task = await stored.running(db, task_type="GENERATE_SUMMARY")
        record = stored.record(task, prompt_tokens=120, completion_tokens=34)
        transition = lifecycle.fail(task["_id"], record, stored.BROKEN, progress=dict(lifecycle.NO_PROGRESS), expire_at=None)
        assert await stored.change(db, transition) == 1
        return task

    task = mongo.run(failed())
    page = reader.get(page_of(task)).content.decode()
    for shown in ("it_broke", "It broke.", "Traceback: it broke", "120 in, 34 out", stored.OWNER):
        assert shown in page
    assert task["lease"]["token"] not in page


def test_the_fencing_token_is_on_no_page(client: Any, store: Store) -> None:
    task = store(TaskStatus.RUNNING, draft={"text": "x"}, draftToken="token-of-the-draft")
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
    assert "scene-7" in page and "4321" in page and ">null<" in page


def test_a_batch_shows_its_tasks_as_coloured_cells_that_lead_to_them(client: Any, store: Store) -> None:
    parent = store(TaskStatus.COMPLETED_WITH_ERRORS)
    children = [store(status, parent_id=parent["_id"], task_type="GENERATE_SUMMARY") for status in (TaskStatus.FAILED, TaskStatus.QUEUED, TaskStatus.QUEUED)]
    answer = client.get(page_of(parent))
    page = answer.content.decode()
    for child in children:
        assert f'class="cell cell--{child["status"].lower()}" href="{page_of(child)}"' in page
    places = [page.index(f'href="{page_of(child)}"') for child in children]
    assert places == sorted(places)
    assert {entry.status.value: entry.count for entry in answer.context["task"].child_counts} == {"QUEUED": "2", "FAILED": "1"}
    assert page_of(parent) in client.get(page_of(children[0])).content.decode()


def test_what_happened_is_told_from_the_top_down(reader: Any, olga: Any, staff: Staff, store: Store) -> None:
    created = stored.now() - timedelta(hours=1)
    task = store(createdAt=created)

    def attempt(number: int, outcome: str, begins: int, ends: int, **error: Any) -> Json:
        moments = {"startedAt": created + timedelta(seconds=begins), "endedAt": created + timedelta(seconds=ends)}
        return {"attempt": number, "token": "t", "outcome": outcome, "worker": "w", **moments, **({"error": error} if error else {})}

    attempts = [
        attempt(1, "retry", 10, 12, code="rate_limited", message="Slow down.", traceback=None, retryAfter=21.0),
        attempt(1, "retry", 33, 34, code="it_broke", message="It broke.", traceback=None),
        attempt(2, "completed", 40, 55),
    ]
    ended = {"status": "COMPLETED", "completedAt": created + timedelta(seconds=55), "attempts": attempts, "attempt": 2, "result": {"summary": "x"}}
    mongo.sync_database()[TASKS].update_one({"_id": task["_id"]}, {"$set": ended})
    staff(user=olga).post(page_of(task, "requeue"), {"reason": "refused, so it did not happen"})
    steps = reader.get(page_of(task)).context["task"].steps
    assert [(step.text, step.span, step.code) for step in steps] == [
        ("Created", "", ""),
        ("waited 10 s", "", ""),
        ("Attempt 1: failed, tried again", "2 s", "rate_limited"),
        ("waited 21 s", "", ""),
        ("Attempt 1: failed, tried again", "1 s", "it_broke"),
        ("waited 6 s", "", ""),
        ("Attempt 2: completed", "15 s", ""),
        ("Ended: Completed", "", ""),
    ]
    assert steps[2].note == "The server asked to wait 21 s." and steps[-1].note == "55 s after it was created"
    page = reader.get(page_of(task)).content.decode()
    assert "The server asked to wait 21 s (Retry-After)." in page and "The AI server asked to wait." in page


def test_what_staff_did_is_part_of_the_story(olga: Any, staff: Staff, store: Store) -> None:
    task, client = store(TaskStatus.FAILED), staff(user=olga)
    client.post(page_of(task, "requeue"), {"reason": "the provider is back"})
    steps = client.get(page_of(task)).context["task"].steps
    assert ("olga: Requeue", "the provider is back") in [(step.text, step.note) for step in steps]
    assert steps[-1].clock is not None and steps[-1].clock.text.startswith("waiting for ")


def test_retry_after_is_kept_with_the_attempt() -> None:
    record = outcomes.describe(RetryLater(timedelta(seconds=21), "Slow down."))
    kept = lifecycle.AttemptRecord(1, "t", stored.now(), stored.now(), "w").stored("retry", record)
    assert kept["error"]["retryAfter"] == 21.0
    assert "retryAfter" not in lifecycle.AttemptRecord(1, "t", stored.now(), stored.now(), "w").stored("retry", stored.BROKEN)["error"]


REASONS: list[tuple[str, Json, str]] = [
    ("TASKS_MAX_RUNNING", {"tasks_max_running": 1}, "1 of 1 are running."),
    ("TASKS_MAX_RUNNING_PER_USER", {"tasks_max_running_per_user": 1}, "alice: 1 of 1 are running."),
    ("TASKS_TYPE_LIMITS", {"tasks_type_limits": {"GENERATE_SUMMARY": 1}}, "Generate summary: 1 of 1 are running."),
]


@pytest.mark.parametrize(("name", "limits", "said"), REASONS, ids=[name for name, _, _ in REASONS])
def test_a_wait_is_explained_in_numbers_that_lead_to_the_tasks_behind_it(
    name: str, limits: Json, said: str, client: Any, alice: Any, store: Store, settings: Any
) -> None:
    settings.AINOVAL = settings.AINOVAL.model_copy(update=limits)
    now = stored.now()
    mongo.sync_database()[WORKERS].insert_one({"_id": "w", "heartbeatAt": now, "draining": False, "types": ["GENERATE_SUMMARY"]})
    running = store(TaskStatus.RUNNING, user=str(alice.pk))
    waiting = store(user=str(alice.pk))
    waiting_module._known.clear()
    answer = client.get(page_of(waiting))
    page = answer.content.decode()
    assert said in page and "Place 1 in the queue." in page
    listed = client.get(f"{LIST}?{answer.context['task'].reason.query}")
    assert [row.task_id for row in listed.context["rows"]] == [running["_id"]]


def test_messages_that_may_quote_a_manuscript_are_masked(client: Any, reader: Any, store: Store) -> None:
    task = store(TaskStatus.FAILED)
    trace = f'Traceback (most recent call last):\n  File "/srv/x.py", line 3, in run\n    f("{SECRET}")\nValueError: {SECRET}'
    error = {"code": "content_filtered", "message": SECRET, "details": {"remark": SECRET}, "retryable": False, "retryCount": 0}
    fields = {"errorInfo": error, "attempts.0.error": {"code": "content_filtered", "message": SECRET, "traceback": trace}, "progress.message": SECRET}
    fields |= {"result": {"failedSceneDetails": [{"sceneId": "s", "code": "c", "message": SECRET}]}}
    mongo.sync_database()[TASKS].update_one({"_id": task["_id"]}, {"$set": fields})
    for address in (page_of(task), LIST, f"{LIST}?status=FAILED&rows={task['_id']}"):
        assert SECRET not in client.get(address, headers={"hx-request": "true"}).content.decode()
    page = client.get(page_of(task)).content.decode()
    assert "The AI&#x27;s content filter refused the text." in page and "/srv/x.py" in page and "ValueError: •••" in page
    assert escape(SECRET) in reader.get(page_of(task)).content.decode()


def test_a_search_is_no_way_to_guess_at_a_text(client: Any, store: Store) -> None:
    store(parameters={"sceneId": "s", "instructions": SECRET})
    answer = client.get(LIST, {"q": "letter"})
    assert answer.context["rows"] == [] and "texts are not" in answer.content.decode()


def test_a_refresh_brings_the_parts_of_the_page_and_not_its_frame(client: Any, store: Store) -> None:
    task = store(TaskStatus.RUNNING)
    text = client.get(page_of(task), headers={"hx-request": "true"}).content.decode()
    whole = client.get(page_of(task)).content.decode()
    parts = re.findall(r'id="(task-[a-z]+)"[^>]* data-revision="(\w+)"', text)
    assert len(parts) == 10 and text.count('hx-swap-oob="true"') == 10 and "<html" not in text
    # Nothing but clocks differs, so nothing would be swapped.
    assert parts == re.findall(r'id="(task-[a-z]+)"[^>]* data-revision="(\w+)"', whole)
    assert "hx-swap-oob" not in whole


@pytest.mark.parametrize("task_id", ["f" * 24, "x", "%00", "..%2f", "%F0%9F%98%80", "$where"])
def test_an_id_that_is_not_there_gets_the_consoles_own_404(task_id: str, client: Any, store: Store) -> None:
    store()
    answer = client.get(f"/admin/tasks_app/backgroundtask/{task_id}/")
    assert answer.status_code == 404
    if "/" not in task_id and "%2f" not in task_id:
        assert "There is no task with this id." in answer.content.decode()
