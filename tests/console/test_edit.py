"""Running a task again with other parameters."""

from typing import Any

import pytest
from django.contrib.messages import get_messages

from ainoval import mongo
from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(olga: Any, staff: Staff) -> Any:
    return staff(user=olga)


@pytest.fixture
def failed(applicable: Any, alice: Any, store: Store, read: Any) -> Json:
    """A failed task of alice's, about a scene that exists."""
    scene = applicable(alice)["parameters"]["sceneId"]
    return store(TaskStatus.FAILED, user=str(alice.pk), parameters={"sceneId": scene, "instructions": "Be short."})


def sent(task: Json, **changes: str) -> dict[str, str]:
    fields = {"sceneId": task["parameters"]["sceneId"], "aiConfigId": "", "instructions": "Be short.", "overwriteExisting": "true", "autoApply": "false"}
    return {f"p.{name}": value for name, value in (fields | changes).items()}


def test_the_form_holds_the_parameters_as_they_are(client: Any, failed: Json) -> None:
    page = client.get(page_of(failed, "edit")).content.decode()
    assert f'value="{failed["parameters"]["sceneId"]}"' in page and "Be short." in page
    assert "Wishes for the summary" in page  # the model's own description
    assert f'href="{page_of(failed, "edit")}"' in client.get(page_of(failed)).content.decode()


def test_what_was_typed_is_stored_and_the_task_is_queued_again(client: Any, failed: Json, read: Any) -> None:
    answer = client.post(page_of(failed, "edit"), sent(failed, instructions="Be long.\r\nBe kind.", autoApply="true") | {"reason": "too short"})
    assert (answer.status_code, answer["Location"]) == (302, page_of(failed))
    assert [str(message) for message in get_messages(answer.wsgi_request)] == ["1 task: queued again."]
    now = read(failed["_id"])
    assert (now["status"], now["attempt"], now["parameters"]["instructions"], now["parameters"]["autoApply"]) == ("QUEUED", 0, "Be long.\nBe kind.", True)
    [line] = client.get(page_of(failed)).context["audit"]
    assert (line.who, line.action, line.outcome, line.reason) == ("olga", "Requeue with other parameters", "done", "too short")


def test_the_same_as_json(client: Any, failed: Json, read: Any) -> None:
    text = f'{{"sceneId": "{failed["parameters"]["sceneId"]}", "instructions": null}}'
    assert client.post(page_of(failed, "edit"), {"json": text}).status_code == 302
    assert read(failed["_id"])["parameters"]["instructions"] is None


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"instructions": "x" * 4_001}, "instructions", "at most 4000 characters"),
        ({"sceneId": "x" * 65}, "sceneId", "at most 64 characters"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    changes: dict[str, str], field: str, said: str, client: Any, failed: Json, read: Any
) -> None:
    answer = client.post(page_of(failed, "edit"), sent(failed, **changes))
    assert answer.status_code == 422
    [wrong] = [each for each in answer.context["fields"] if each.errors]
    assert wrong.name == field and said in wrong.errors[0]
    assert changes[field] in answer.content.decode()
    assert read(failed["_id"]) == failed


@pytest.mark.parametrize("changes", [{"sceneId": "f" * 24}, {"aiConfigId": "no-such-profile"}])
def test_what_the_domain_refuses_is_said_in_words(changes: dict[str, str], client: Any, failed: Json, read: Any) -> None:
    answer = client.post(page_of(failed, "edit"), sent(failed, **changes))
    assert answer.status_code == 422 and answer.context["problems"]
    assert read(failed["_id"]) == failed


@pytest.mark.parametrize("text", ["{", "[]", '{"sceneId": "s", "unknown": 1}', '{"sceneId": 1e400}', "x" * 70_000])
def test_json_that_does_not_fit_is_explained_and_kept(text: str, client: Any, failed: Json, read: Any) -> None:
    answer = client.post(page_of(failed, "edit"), {"json": text})
    assert answer.status_code == 422 and answer.context["problems"]
    assert answer.context["json_text"] == text
    assert read(failed["_id"]) == failed


@pytest.mark.parametrize("status", [TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.COMPLETED])
def test_a_task_that_cannot_be_run_again_is_not_edited(status: TaskStatus, client: Any, store: Store, read: Any) -> None:
    task = store(status, parameters={"sceneId": "s"})
    for answer in (client.get(page_of(task, "edit")), client.post(page_of(task, "edit"), {"json": "{}"})):
        assert (answer.status_code, answer["Location"]) == (302, page_of(task))
    assert read(task["_id"]) == task
    assert page_of(task, "edit") not in client.get(page_of(task)).content.decode()


def test_a_missing_task_is_404(client: Any, store: Store) -> None:
    assert client.get(f"{LIST}{'f' * 24}/edit/").status_code == 404
    assert mongo.database_name().startswith("test_")
