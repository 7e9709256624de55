"""Who sees the console, and who may do what in it."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of

pytestmark = pytest.mark.django_db

ACTIONS = ["cancel", "requeue", "delete"]
# A state in which each action would succeed.
READY = {"cancel": TaskStatus.QUEUED, "requeue": TaskStatus.FAILED, "delete": TaskStatus.COMPLETED}
PERMISSIONS = ["view", "cancel", "requeue", "delete", "view_text"]


def addresses(task: Json) -> list[tuple[str, str]]:
    return [("get", LIST), ("get", page_of(task)), *(("post", page_of(task, action)) for action in ACTIONS), ("post", f"{LIST}selected/")]


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
def test_each_action_needs_its_own_permission(permission: str, action: str, store: Store, staff: Staff, read: Any) -> None:
    task = store(READY[action])
    client = staff(*sorted({"view", permission}))
    assert client.get(page_of(task)).status_code == 200
    answer = client.post(page_of(task, action))
    in_bulk = client.post(f"{LIST}selected/", {"action": action, "task": [task["_id"]]})
    if permission == action:
        assert answer.status_code == 302
        assert read(task["_id"]) != task
    else:
        assert answer.status_code == in_bulk.status_code == 403
        assert read(task["_id"]) == task


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_needs_the_permission_to_see_tasks_beside_its_own(action: str, store: Store, staff: Staff, read: Any) -> None:
    task = store(READY[action])
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


def test_the_sidebar_leads_to_the_console(staff: Staff) -> None:
    assert f'href="{LIST}"' in staff("view").get("/admin/").content.decode()
    assert reverse("admin:tasks_app_backgroundtask_changelist") == LIST


def test_a_post_without_a_csrf_token_changes_nothing(store: Store, olga: Any, read: Any) -> None:
    task = store()
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    assert client.post(page_of(task, "cancel")).status_code == 403
    assert client.post(f"{LIST}selected/", {"action": "cancel", "task": [task["_id"]], "confirmed": "yes"}).status_code == 403
    assert read(task["_id"]) == task


@pytest.mark.parametrize("action", ACTIONS)
def test_a_get_changes_nothing_and_leads_back_to_the_task(action: str, store: Store, olga: Any, staff: Staff, read: Any) -> None:
    task = store(READY[action])
    answer = staff(user=olga).get(page_of(task, action))
    assert (answer.status_code, answer["Location"]) == (302, page_of(task))
    assert read(task["_id"]) == task
