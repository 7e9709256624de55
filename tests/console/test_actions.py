"""The actions do what they say, say so when they cannot, and leave a line in the audit trail."""

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages

from ainoval import mongo
from ainoval.novels.documents import SCENES
from tasks_app.documents import TASKS
from tasks_app.states import TERMINAL, UNFINISHED, TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of
from tests.support import stored

pytestmark = pytest.mark.django_db

SELECTED = f"{LIST}selected/"


def said(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(answer.wsgi_request)]


def levels(answer: Any) -> list[str]:
    return [level for level, _ in said(answer)]


@pytest.fixture
def client(olga: Any, staff: Staff) -> Any:
    return staff(user=olga)


@pytest.mark.parametrize("status", [TaskStatus.QUEUED, TaskStatus.RETRYING])
def test_cancel_ends_what_waits_at_once(status: TaskStatus, client: Any, store: Store, read: Any) -> None:
    task = store(status)
    answer = client.post(page_of(task, "cancel"))
    assert (answer.status_code, answer["Location"]) == (302, page_of(task))
    assert said(answer) == [("success", "1 task: cancelled.")]
    assert read(task["_id"])["status"] == TaskStatus.CANCELLED


def test_cancel_asks_a_worker_to_stop_what_runs(client: Any, store: Store, read: Any) -> None:
    task = store(TaskStatus.RUNNING)
    answer = client.post(page_of(task, "cancel"))
    assert said(answer) == [("success", "1 task: the worker was asked to stop it.")]
    assert read(task["_id"])["status"] == TaskStatus.CANCELLING


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.INTERRUPTED, TaskStatus.CANCELLED])
def test_requeue_sends_an_ended_task_back_to_the_queue(status: TaskStatus, client: Any, store: Store, read: Any) -> None:
    task = store(status)
    answer = client.post(page_of(task, "requeue"))
    assert levels(answer) == ["success"]
    now = read(task["_id"])
    assert (now["status"], now["attempt"]) == (TaskStatus.QUEUED, 0)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_delete_removes_an_ended_task_and_leads_to_the_list(status: TaskStatus, client: Any, store: Store, read: Any) -> None:
    task = store(status)
    answer = client.post(page_of(task, "delete"))
    assert answer["Location"] == LIST
    assert levels(answer) == ["success"]
    assert read(task["_id"]) is None
    assert client.get(page_of(task)).status_code == 404


def test_apply_writes_the_result_into_its_owners_novel(client: Any, applicable: Any, alice: Any, read: Any) -> None:
    task = applicable(alice)
    answer = client.post(page_of(task, "apply"), {"reason": "alice asked for it"})
    assert said(answer) == [("success", "1 task: written into the novel.")]
    scene = mongo.sync_database()[SCENES].find_one({"_id": task["parameters"]["sceneId"]})
    assert scene is not None and (scene["summary"], scene["version"]) == ("Rain.", 2)
    assert read(task["_id"])["appliedAt"] is not None
    client.get(page_of(task))  # shows what was said
    assert levels(client.post(page_of(task, "apply"))) == ["error"]
    [refused, done] = client.get(page_of(task)).context["audit"]
    assert (done.action, done.reason, refused.code) == ("Apply", "alice asked for it", "already_applied")


def test_what_is_applied_after_the_end_stands_after_it(client: Any, applicable: Any, alice: Any) -> None:
    task = applicable(alice)
    client.post(page_of(task, "apply"))
    steps = [step.text for step in client.get(page_of(task)).context["task"].steps]
    assert [steps[0], *steps[-3:]] == ["Created", "Ended: Completed", "olga: Apply", "Written into the novel"]


def test_apply_overwrites_a_writers_edit_only_when_told_to(client: Any, applicable: Any, alice: Any) -> None:
    task = applicable(alice)
    scenes = mongo.sync_database()[SCENES]
    scenes.update_one({}, {"$set": {"summary": "Hers.", "version": 2}})
    assert "has been changed since" in said(client.post(page_of(task, "apply")))[0][1]
    assert scenes.find_one({})["summary"] == "Hers."
    client.get(page_of(task))
    assert levels(client.post(page_of(task, "apply"), {"override": "yes"})) == ["success"]
    assert scenes.find_one({})["summary"] == "Rain."
    page = client.get(page_of(task))
    assert [(line.outcome, line.override) for line in page.context["audit"]] == [("done", True), ("refused", False)]
    assert page.content.decode().count("overwriting what was changed meanwhile") == 1


def test_a_result_that_no_longer_fits_its_type_is_refused_not_an_error(client: Any, store: Store) -> None:
    task = store(TaskStatus.COMPLETED, parameters={"sceneId": "s"})
    [(level, text)] = said(client.post(page_of(task, "apply")))
    assert level == "error" and "do not fit this version" in text


WRONG = [
    *(("cancel", status) for status in sorted(TERMINAL)),
    *(("requeue", status) for status in [*sorted(UNFINISHED), TaskStatus.COMPLETED]),
    *(("delete", status) for status in sorted(UNFINISHED)),
    *(("apply", status) for status in sorted(set(TaskStatus) - {TaskStatus.COMPLETED})),
]


@pytest.mark.parametrize(("action", "status"), WRONG)
def test_an_action_in_a_wrong_state_says_so_and_changes_nothing(action: str, status: TaskStatus, client: Any, store: Store, read: Any) -> None:
    task = store(status)
    answer = client.post(page_of(task, action))
    assert (answer.status_code, answer["Location"]) == (302, page_of(task))
    assert levels(answer) == ["error"]
    assert read(task["_id"]) == task
    page = client.get(page_of(task)).content.decode()
    assert f'action="{page_of(task, action)}"' not in page
    assert f'id="why-not-{action}"' in page


@pytest.mark.parametrize("action", ["requeue", "delete"])
def test_a_child_goes_with_its_batch(action: str, client: Any, store: Store, read: Any) -> None:
    child = store(TaskStatus.FAILED, parent_id="a" * 24)
    answer = client.post(page_of(child, action))
    [(level, text)] = said(answer)
    assert level == "error" and "batch" in text
    assert read(child["_id"]) == child


def test_a_batch_is_not_deleted_away_from_tasks_that_have_not_ended(client: Any, store: Store, read: Any) -> None:
    batch = store(TaskStatus.INTERRUPTED, task_type="BATCH_GENERATE_SUMMARY")
    running, queued = (store(status, parent_id=batch["_id"]) for status in (TaskStatus.RUNNING, TaskStatus.QUEUED))
    answer = client.post(page_of(batch, "delete"))
    assert said(answer) == [("error", "Tasks of this batch are still being stopped: delete it when they have ended.")]
    assert [read(task["_id"])["status"] for task in (batch, running, queued)] == ["INTERRUPTED", "CANCELLING", "CANCELLED"]
    mongo.sync_database()[TASKS].update_one({"_id": running["_id"]}, {"$set": {"status": "CANCELLED"}, "$unset": {"lease": 1}})
    assert levels(client.post(page_of(batch, "delete")))[-1] == "success"
    assert mongo.sync_database()[TASKS].count_documents({}) == 0


def test_a_batch_that_has_not_ended_is_to_be_cancelled_first(client: Any, store: Store, read: Any) -> None:
    batch = store(TaskStatus.RUNNING, task_type="BATCH_GENERATE_SUMMARY")
    child = store(TaskStatus.RUNNING, parent_id=batch["_id"])
    assert said(client.post(page_of(batch, "delete"))) == [("error", "The task has not ended: cancel it first.")]
    assert [read(task["_id"])["status"] for task in (batch, child)] == ["RUNNING", "RUNNING"]


def test_a_task_of_a_type_that_is_gone_cannot_be_requeued(client: Any, store: Store, read: Any) -> None:
    task = store(TaskStatus.FAILED, task_type="NO_LONGER_HERE")
    assert "This server does not know the task type." in client.get(page_of(task)).content.decode()
    assert levels(client.post(page_of(task, "requeue"))) == ["error"]
    assert read(task["_id"]) == task


def test_an_action_on_a_missing_task_is_404_and_leaves_no_trace(client: Any, store: Store) -> None:
    from django.contrib.admin.models import LogEntry

    for action in ("cancel", "requeue", "delete"):
        assert client.post(f"{LIST}{'f' * 24}/{action}/").status_code == 404
    assert client.post(f"{LIST}{'f' * 24}/explode/").status_code == 404
    assert not LogEntry.objects.exists()


def test_the_audit_trail_names_who_did_what_and_why(client: Any, store: Store) -> None:
    task = store(TaskStatus.RUNNING)
    client.post(page_of(task, "cancel"), {"reason": "the writer asked for it"})
    client.post(page_of(task, "delete"))
    page = client.get(page_of(task))
    delete, cancel = page.context["audit"]
    assert (cancel.who, cancel.action, cancel.outcome, cancel.reason) == ("olga", "Cancel", "done", "the writer asked for it")
    assert (delete.who, delete.action, delete.outcome, delete.code) == ("olga", "Delete", "refused", "not_ended")
    assert "the writer asked for it" in page.content.decode()


def test_the_audit_line_of_a_deleted_task_stays_in_the_admins_log(client: Any, store: Store) -> None:
    from django.contrib.admin.models import DELETION, LogEntry

    task = store(TaskStatus.COMPLETED)
    client.post(page_of(task, "delete"))
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.action_flag) == (task["_id"], DELETION)
    assert task["_id"] in client.get("/admin/").content.decode()


def test_the_page_of_a_deleted_task_says_who_deleted_it(client: Any, staff: Staff, store: Store) -> None:
    task, gone = store(TaskStatus.COMPLETED), store(TaskStatus.FAILED)
    client.post(page_of(task, "delete"), {"reason": "the writer asked for it"})
    mongo.sync_database()[TASKS].delete_one({"_id": gone["_id"]})
    page = staff("view").get(page_of(task))
    [line] = page.context["audit"]
    assert (page.status_code, line.who, line.action, line.outcome) == (404, "olga", "Delete", "done")
    assert "There is no task with this id." in page.content.decode() and "the writer asked for it" in page.content.decode()
    assert "Audit trail" not in client.get(page_of(gone)).content.decode()


@pytest.mark.parametrize("selected", [False, True])
def test_an_account_that_the_audit_trail_names_is_not_deleted(selected: bool, client: Any, staff: Staff, store: Store, bob: Any) -> None:
    task = store()
    staff("view", "cancel").post(page_of(task, "cancel"), {"reason": "flooded"})
    users = type(bob).objects
    for user, kept in ((users.get(username="olga-view-cancel"), True), (bob, False)):
        sent = {"action": "delete_selected", "_selected_action": [str(user.pk)]} if selected else {}
        address = "/admin/accounts/user/" if selected else f"/admin/accounts/user/{user.pk}/delete/"
        page = client.post(address, sent | {"post": "yes"}, follow=True).content.decode()
        assert users.filter(pk=user.pk).exists() == kept
        assert ("make the account inactive instead" in page) == kept
    assert [line.reason for line in client.get(page_of(task)).context["audit"]] == ["flooded"]


def test_a_selection_is_confirmed_first_by_a_page_that_names_the_number(client: Any, store: Store, read: Any) -> None:
    tasks = [store(), store(), store(TaskStatus.COMPLETED)]
    answer = client.post(SELECTED, {"action": "cancel", "task": [task["_id"] for task in tasks], "state": "status=QUEUED"})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Cancel: 3 tasks" in page and "1 of them cannot be changed" in page
    assert [read(task["_id"]) for task in tasks] == tasks


def test_a_confirmed_selection_is_acted_on_and_what_was_refused_is_counted(client: Any, store: Store, read: Any) -> None:
    waiting, running, ended = store(), store(TaskStatus.RUNNING), store(TaskStatus.COMPLETED)
    sent = {
        "action": "cancel",
        "task": [t["_id"] for t in (waiting, running, ended)],
        "state": "status=QUEUED&user=alice",
        "confirmed": "yes",
        "reason": "too many",
    }
    answer = client.post(SELECTED, sent)
    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?status=QUEUED&user=alice")
    assert said(answer) == [("success", "2 tasks: cancelled, or being stopped by their workers."), ("error", "1 task unchanged: The task has ended.")]
    assert [read(t["_id"])["status"] for t in (waiting, running)] == [TaskStatus.CANCELLED, TaskStatus.CANCELLING]
    assert read(ended["_id"]) == ended
    [line] = client.get(page_of(waiting)).context["audit"]
    assert (line.selected, line.reason, line.filtered) == (3, "too many", "status:queued user:alice")


@pytest.mark.parametrize("action", ["requeue", "delete"])
def test_other_actions_on_a_selection(action: str, client: Any, store: Store, read: Any) -> None:
    tasks = [store(TaskStatus.FAILED) for _ in range(3)]
    answer = client.post(SELECTED, {"action": action, "task": [task["_id"] for task in tasks], "confirmed": "yes"})
    assert levels(answer) == ["success"]
    now = [read(task["_id"]) for task in tasks]
    assert now == [None] * 3 if action == "delete" else {task["status"] for task in now} == {TaskStatus.QUEUED}


def test_what_has_changed_since_its_page_was_made_is_not_deleted(client: Any, store: Store, read: Any) -> None:
    failed, completed = store(TaskStatus.FAILED)["_id"], store(TaskStatus.COMPLETED)["_id"]
    sent = {"action": "delete", "task": [failed, completed]}
    chosen, alone = client.post(SELECTED, sent), client.get(f"{LIST}{failed}/")
    # Its writer has it run again, and now it has a result.
    mongo.sync_database()[TASKS].update_one({"_id": failed}, {"$set": {"status": TaskStatus.COMPLETED.value}})
    said_so = "Its status has changed since the page was made: look at it again."
    answer = client.post(SELECTED, sent | {"confirmed": "yes", "seen": seen(chosen)})
    assert said(answer) == [("success", "1 task: deleted."), ("error", f"1 task unchanged: {said_so}")]
    assert read(completed) is None and read(failed)["status"] == TaskStatus.COMPLETED
    answer = client.post(f"{LIST}{failed}/delete/", {"seen": seen(alone)})
    assert said(answer)[-1] == ("error", said_so) and read(failed) is not None
    assert client.get(f"{LIST}{failed}/").context["audit"][0].code == "changed_meanwhile"


def seen(page: Any) -> list[str]:
    return sorted(set(re.findall(r'name="seen" value="([^"]+)"', page.content.decode())))


@pytest.mark.parametrize(
    ("sent", "level"),
    [
        ({"action": "cancel"}, "warning"),
        ({"action": "explode", "task": ["f" * 24]}, "error"),
        ({}, "error"),
        ({"action": "cancel", "task": ["f" * 24]}, "error"),
        ({"action": "cancel", "task": [f"{n:024x}" for n in range(201)]}, "error"),
    ],
)
def test_a_selection_that_makes_no_sense_leads_back_with_a_word(sent: Json, level: str, client: Any, store: Store) -> None:
    store()
    answer = client.post(SELECTED, sent | {"state": "//evil.example/?p=1"})
    assert (answer.status_code, answer["Location"]) == (302, LIST)
    assert levels(answer) == [level]


def test_cancelling_a_batch_cancels_its_tasks(client: Any, store: Store, read: Any) -> None:
    async def batch() -> tuple[Json, Json]:
        parent = await stored.awaiting(mongo.database(), total=1, task_type="BATCH_GENERATE_SUMMARY")
        return parent, await stored.queued(mongo.database(), task_type="GENERATE_SUMMARY", parent_id=parent["_id"])

    parent, child = mongo.run(batch())
    client.post(page_of(parent, "cancel"))
    assert read(child["_id"])["status"] == TaskStatus.CANCELLED
