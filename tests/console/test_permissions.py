"""Who sees the console, and who may do what in it."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ainoval import mongo
from tasks_app.documents import BULK_ACTIONS
from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of

pytestmark = pytest.mark.django_db

ACTIONS = ["cancel", "requeue", "apply", "delete"]
BULK = ["cancel", "requeue", "delete"]
# A state in which each action would succeed.
READY = {"cancel": TaskStatus.QUEUED, "requeue": TaskStatus.FAILED, "delete": TaskStatus.COMPLETED}
PERMISSIONS = ["view", "cancel", "requeue", "apply", "delete", "view_text"]


@pytest.fixture
def ready(store: Store, applicable: Any, alice: Any) -> Any:
    """`ready("cancel")`: a task to which this would succeed."""

    def make(action: str) -> Json:
        return applicable(alice) if action == "apply" else store(READY[action])

    return make


def addresses(task: Json) -> list[tuple[str, str]]:
    return [
        ("get", LIST),
        ("get", page_of(task)),
        *(("post", page_of(task, action)) for action in ACTIONS),
        ("post", f"{LIST}selected/"),
        ("get", f"{LIST}bulk/"),
        ("get", f"{page_of(task)}edit/"),
        ("post", f"{page_of(task)}edit/"),
        ("get", f"{LIST}bulk/x/"),
        ("post", f"{LIST}bulk/x/stop/"),
    ]


def test_somebody_who_is_not_logged_in_is_asked_to_log_in_and_changes_nothing(store: Store, db_access: None, read: Any) -> None:
    task = store()
    for method, address in addresses(task):
        answer = getattr(Client(), method)(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
    assert read(task["_id"]) == task


def test_a_writer_is_sent_to_the_log_in_of_staff(store: Store, alice: Any, staff: Staff, read: Any) -> None:
    task = store()
    for method, address in addresses(task):
        answer = getattr(staff(user=alice), method)(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
    assert read(task["_id"]) == task


def test_staff_without_any_permission_see_nothing(store: Store, staff: Staff, read: Any) -> None:
    task, client = store(), staff()
    for method, address in addresses(task):
        assert getattr(client, method)(address).status_code == 403
    assert b"backgroundtask" not in client.get("/admin/").content
    assert read(task["_id"]) == task


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_each_action_needs_its_own_permission(permission: str, action: str, ready: Any, staff: Staff, read: Any) -> None:
    task = ready(action)
    client = staff(*sorted({"view", permission}))
    assert client.get(page_of(task)).status_code == 200
    answer = client.post(page_of(task, action))
    if permission == action:
        assert answer.status_code == 302
        assert read(task["_id"]) != task
        return
    assert answer.status_code == 403
    assert read(task["_id"]) == task
    if action in BULK:
        for sent in ({"task": [task["_id"]]}, {"all": "1"}):
            assert client.post(f"{LIST}selected/", sent | {"action": action, "confirmed": "yes"}).status_code == 403
        assert not mongo.sync_database()[BULK_ACTIONS].count_documents({})
    assert read(task["_id"]) == task


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_other_parameters_need_the_permission_to_requeue(permission: str, store: Store, staff: Staff, read: Any) -> None:
    task = store(TaskStatus.FAILED, parameters={"sceneId": "s"})
    client = staff(*sorted({"view", permission}))
    answers = client.get(f"{page_of(task)}edit/"), client.post(f"{page_of(task)}edit/", {"json": "{}"})
    assert [answer.status_code for answer in answers] == ([200, 422] if permission == "requeue" else [403, 403])
    assert read(task["_id"]) == task


def test_parameters_with_text_are_edited_by_those_who_may_read_it_only(store: Store, staff: Staff, read: Any) -> None:
    task = store(TaskStatus.FAILED, parameters={"sceneId": "s", "instructions": "Mara must not die."})
    client = staff("view", "requeue")
    for answer in (client.get(f"{page_of(task)}edit/"), client.post(f"{page_of(task)}edit/", {"json": '{"sceneId": "s"}'})):
        assert (answer.status_code, answer["Location"]) == (302, page_of(task))
    assert read(task["_id"]) == task
    assert "Mara must not die." in staff("view", "requeue", "view_text").get(f"{page_of(task)}edit/").content.decode()


def test_an_action_on_many_is_stopped_by_those_only_who_could_have_begun_it(store: Store, staff: Staff) -> None:
    store(TaskStatus.FAILED)
    begun = staff("view", "requeue").post(f"{LIST}selected/", {"action": "requeue", "all": "1", "confirmed": "yes"})
    page = begun["Location"]
    others = staff("view", "cancel", "delete", "apply", "view_text")
    assert others.get(page).status_code == 200 and "Stop it" not in others.get(page).content.decode()
    assert others.post(f"{page}stop/").status_code == 403
    [action] = mongo.sync_database()[BULK_ACTIONS].find({})
    assert action["outcome"] is None and action.get("stopRequestedAt") is None


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_needs_the_permission_to_see_tasks_beside_its_own(action: str, ready: Any, staff: Staff, read: Any) -> None:
    task = ready(action)
    assert staff(action).post(page_of(task, action)).status_code == 403
    assert read(task["_id"]) == task


def test_only_actions_that_are_allowed_are_offered(store: Store, staff: Staff) -> None:
    task = store()
    client = staff("view", "cancel")
    page, listed = (client.get(address).content.decode() for address in (page_of(task), LIST))
    assert page_of(task, "cancel") in page
    assert page_of(task, "requeue") not in page and page_of(task, "delete") not in page
    assert 'name="action" value="cancel"' in listed and 'name="action" value="delete"' not in listed


def test_without_any_action_there_is_nothing_to_select(store: Store, staff: Staff) -> None:
    store()
    assert 'type="checkbox" name="task"' not in staff("view").get(LIST).content.decode()


def test_the_admin_has_no_link_that_leads_nowhere(olga: Any, staff: Staff) -> None:
    client = staff(user=olga)
    links = set(re.findall(r'href="(/[^"#]*)"', client.get("/admin/").content.decode()))
    assert LIST in links and "/admin/logout/" not in links
    assert {link for link in links if not link.startswith("/static/") and client.get(link, follow=True).status_code == 404} == set()


def test_the_sidebar_leads_to_the_console(staff: Staff) -> None:
    assert f'href="{LIST}"' in staff("view").get("/admin/").content.decode()
    assert reverse("admin:tasks_app_backgroundtask_changelist") == LIST


def test_a_post_without_a_csrf_token_changes_nothing(store: Store, olga: Any, read: Any) -> None:
    task = store()
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    assert client.post(page_of(task, "cancel")).status_code == 403
    assert client.post(f"{LIST}selected/", {"action": "cancel", "task": [task["_id"]], "confirmed": "yes"}).status_code == 403
    assert client.post(f"{LIST}selected/", {"action": "cancel", "all": "1", "confirmed": "yes"}).status_code == 403
    assert client.post(f"{page_of(task)}edit/", {"json": "{}"}).status_code == 403
    assert read(task["_id"]) == task


@pytest.mark.parametrize("action", ACTIONS)
def test_a_get_changes_nothing_and_leads_back_to_the_task(action: str, ready: Any, olga: Any, staff: Staff, read: Any) -> None:
    task = ready(action)
    answer = staff(user=olga).get(page_of(task, action))
    assert (answer.status_code, answer["Location"]) == (302, page_of(task))
    assert read(task["_id"]) == task
