"""Actions on all tasks that match: asked for by a page, done in the background, seen and stopped by another page."""

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from pymongo.errors import ExecutionTimeout

from ainoval import mongo
from ainoval.ids import new_id
from tasks_app import bulk, bulk_actions, bulk_run, states, waiting
from tasks_app.bulk_actions import Wanted
from tasks_app.documents import BULK_ACTIONS, TASKS, WORKERS, BulkOutcome
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of
from tests.support import stored

pytestmark = pytest.mark.django_db

SELECTED = f"{LIST}selected/"
PACKAGES = "django_q_packages"


@pytest.fixture
def client(olga: Any, staff: Staff) -> Any:
    return staff(user=olga)


def many(count: int, status: TaskStatus = TaskStatus.QUEUED, **fields: Any) -> list[str]:
    tasks = [stored.task(task_type="GENERATE_SUMMARY", status=status.value, **fields) for _ in range(count)]
    mongo.sync_database()[TASKS].insert_many(tasks)
    return [task["_id"] for task in tasks]


def ask(client: Any, action: str, state: str = "", **sent: str) -> Any:
    return client.post(SELECTED, {"action": action, "all": "1", "state": state} | sent)


def the_action() -> Json:
    [action] = mongo.sync_database()[BULK_ACTIONS].find({})
    return action


def statuses() -> dict[str, int]:
    stages = [{"$group": {"_id": "$status", "count": {"$sum": 1}}}]
    return {group["_id"]: group["count"] for group in mongo.sync_database()[TASKS].aggregate(stages)}


def test_it_is_confirmed_first_by_a_page_that_names_number_and_filter(client: Any, store: Store) -> None:
    many(120)
    many(5, TaskStatus.FAILED)
    page = ask(client, "cancel", "type=generate-summary").content.decode()
    assert "Cancel: 120 tasks" in page and "type:generate-summary" in page and "Yes, Cancel: 120 tasks" in page
    assert statuses() == {"QUEUED": 120, "FAILED": 5}
    assert not mongo.sync_database()[BULK_ACTIONS].count_documents({})


def test_when_confirmed_it_is_handed_to_the_workers_and_leads_to_its_page(client: Any, store: Store, olga: Any) -> None:
    many(120)
    answer = ask(client, "cancel", "status=QUEUED", confirmed="yes", reason="flooded")
    action = the_action()
    assert answer["Location"] == f"{LIST}bulk/{action['_id']}/"
    assert (action["action"], action["username"], action["filter"], action["reason"], action["expected"]) == ("cancel", "olga", "status:queued", "flooded", 120)
    assert mongo.sync_database()[PACKAGES].count_documents({}) == 1
    [entry] = LogEntry.objects.all()
    assert entry.user == olga and entry.object_id == action["_id"] and '"reason": "flooded"' in entry.change_message
    page = client.get(answer["Location"]).content.decode()
    for shown in ("Waiting for a worker", "0 of 120", "No worker is running; it begins when one is started.", "status:queued", "flooded", "olga"):
        assert shown in page
    assert statuses() == {"QUEUED": 120}


def test_a_number_that_could_not_be_counted_in_time_is_not_made_up(client: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that few fit takes as long as one that all fit: that the count was given up says nothing about the number."""

    async def too_slow(*_: Any, **__: Any) -> dict[TaskStatus, int]:
        raise ExecutionTimeout("operation exceeded time limit", 50)

    [task] = many(1, TaskStatus.FAILED, errorInfo={"code": "rare"}, completedAt=stored.now())
    monkeypatch.setattr(bulk, "count", too_slow)
    page = ask(client, "delete", "error=rare").content.decode()
    assert "10000" not in page and "Yes, Delete: an unknown number of tasks" in page
    address = ask(client, "delete", "error=rare", confirmed="yes", reason="r")["Location"]
    page = client.get(address).content.decode()
    assert "10,000" not in page and "0 of ?" in page and 'value="0"' in page
    mongo.sync_database()[TASKS].update_one({"_id": task}, {"$set": {"bulkActions": [the_action()["_id"]]}})
    assert "(all that match: ?)" in client.get(f"{LIST}{task}/").content.decode()
    bulk_run.run(the_action()["_id"])
    assert statuses() == {} and "1 of ?" in client.get(address).content.decode()


def test_what_has_come_since_the_number_was_named_is_left_alone(client: Any, store: Store, read: Any) -> None:
    many(3)
    asked = re.search(r'name="asked" value="(\d+)"', ask(client, "cancel").content.decode())
    assert asked is not None
    later = stored.task(createdAt=stored.now() + timedelta(milliseconds=2))
    mongo.sync_database()[TASKS].insert_one(later)
    ask(client, "cancel", confirmed="yes", asked=asked[1])
    assert the_action()["expected"] == 3
    bulk_run.run(the_action()["_id"])
    assert read(later["_id"])["status"] == "QUEUED" and statuses()["CANCELLED"] == 3
    for nonsense in ("x", "99999999999999999999", "9999999999999", "-1", ""):
        assert ask(client, "cancel", asked=nonsense).status_code == 200


def test_a_form_that_is_sent_twice_begins_one_action(client: Any, store: Store) -> None:
    many(3)
    form = re.search(r'name="asked" value="(\d+)"', ask(client, "cancel").content.decode())
    assert form is not None
    answers = [ask(client, "cancel", confirmed="yes", asked=form[1]) for _ in range(2)]
    bulk_run.run(the_action()["_id"])
    answers.append(ask(client, "cancel", confirmed="yes", asked=form[1]))
    assert {answer["Location"] for answer in answers} == {f"{LIST}bulk/{the_action()['_id']}/"}
    assert mongo.sync_database()[PACKAGES].count_documents({}) == LogEntry.objects.count() == 1
    assert [str(message) for message in get_messages(answers[-1].wsgi_request)][-1] == "This was asked for already: here it is."


def test_what_has_become_old_enough_since_the_number_was_named_is_left_alone(client: Any, store: Store) -> None:
    old = many(3, createdAt=stored.now() - timedelta(hours=3))
    many(4, createdAt=stored.now() - timedelta(minutes=125))
    asked = int((stored.now() - timedelta(minutes=10)).timestamp() * 1000)
    ask(client, "cancel", "created=%3E2h", confirmed="yes", asked=str(asked))
    assert the_action()["expected"] == 3
    bulk_run.run(the_action()["_id"])
    cancelled = mongo.sync_database()[TASKS].find({"status": "CANCELLED"})
    assert {task["_id"] for task in cancelled} == set(old)


def begin(client: Any, action: str, state: str = "") -> str:
    ask(client, action, state, confirmed="yes", reason="because")
    return str(the_action()["_id"])


def test_cancel_ends_what_waits_and_asks_for_the_rest(client: Any, store: Store) -> None:
    many(700)
    store(TaskStatus.RUNNING)
    ended = store(TaskStatus.COMPLETED)
    action_id = begin(client, "cancel")
    newcomer = stored.task(createdAt=stored.now() + timedelta(seconds=5))
    mongo.sync_database()[TASKS].insert_one(newcomer)
    assert bulk_run.run(action_id) == "done"
    assert statuses() == {"CANCELLED": 700, "CANCELLING": 1, "COMPLETED": 1, "QUEUED": 1}
    action = the_action()
    assert (action["outcome"], action["expected"], action["seen"], action["changed"]) == ("done", 701, 701, 701)
    page = client.get(f"{LIST}bulk/{action_id}/").content.decode()
    assert "Done" in page and "701 changed" in page and "Stop it" not in page
    assert not client.get(page_of(ended)).context["audit"]


def test_requeue_runs_again_what_ended_before_it_was_asked_for_and_batches_as_a_whole(client: Any, store: Store, read: Any) -> None:
    failed = many(600, TaskStatus.FAILED, completedAt=stored.now() - timedelta(minutes=1))
    child = store(TaskStatus.FAILED, parent_id="a" * 24)
    action_id = begin(client, "requeue", "children=1")
    later = many(1, TaskStatus.FAILED, completedAt=stored.now() + timedelta(minutes=1))
    assert bulk_run.run(action_id) == "done"
    assert the_action()["changed"] == 600
    assert {read(task_id)["status"] for task_id in failed} == {"QUEUED"}
    assert read(child["_id"])["status"] == read(later[0])["status"] == "FAILED"


def test_delete_removes_what_has_ended(client: Any, store: Store) -> None:
    many(30, TaskStatus.COMPLETED, completedAt=stored.now() - timedelta(minutes=1), user="alice-id")
    many(2, TaskStatus.COMPLETED, completedAt=stored.now() - timedelta(minutes=1))
    many(3)
    action_id = begin(client, "delete", "status=COMPLETED")
    assert bulk_run.run(action_id) == "done"
    assert statuses() == {"QUEUED": 3}
    assert (the_action()["seen"], the_action()["changed"]) == (32, 32)


def test_only_what_the_filter_names_is_touched(client: Any, store: Store, alice: Any) -> None:
    hers = many(3, user=str(alice.pk))
    many(4)
    action_id = begin(client, "cancel", "user=alice&type=summary&created=%3C24h")
    bulk_run.run(action_id)
    assert statuses() == {"CANCELLED": 3, "QUEUED": 4}
    [line] = client.get(f"{LIST}{hers[0]}/").context["audit"]
    assert (line.who, line.action, line.outcome, line.selected, line.reason) == ("olga", "Cancel", "bulk", 3, "because")
    assert line.filtered == "type:summary user:alice created:<24h" and line.address == f"{LIST}bulk/{action_id}/"


@pytest.mark.parametrize(("action", "state"), [("requeue", f"parent={'a' * 24}"), ("delete", "status=QUEUED"), ("cancel", "status=FAILED")])
def test_what_cannot_be_done_to_any_of_them_is_not_begun(action: str, state: str, client: Any, store: Store) -> None:
    store()
    store(TaskStatus.FAILED, parent_id="a" * 24)
    answer = ask(client, action, state, confirmed="yes")
    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?{state}")
    assert "None of the tasks that match" in str(next(iter(get_messages(answer.wsgi_request))))
    assert not mongo.sync_database()[BULK_ACTIONS].count_documents({})


def test_a_filter_that_cannot_be_understood_is_never_acted_on(client: Any, store: Store) -> None:
    store()
    for state in ("user=nobody", "created=soon", "type=nothing", "status=NOPE"):
        answer = ask(client, "cancel", state, confirmed="yes")
        assert answer.status_code == 302
    assert statuses() == {"QUEUED": 1}


class Interrupt(Exception):
    """Stands for whatever ends a worker."""


def cut_off_after(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the action's process end after some groups, before the last of them is recorded."""
    real, seen = bulk_actions.advance, []

    async def advance(*args: Any, **counts: Any) -> Any:
        seen.append(counts)
        if len(seen) >= groups:
            raise Interrupt
        return await real(*args, **counts)

    monkeypatch.setattr(bulk_actions, "advance", advance)


def test_another_worker_goes_on_where_one_was_cut_off(client: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    many(1_300)
    action_id = begin(client, "cancel")
    monkeypatch.setattr(bulk_run, "_slice", _leaving_the_lease(bulk_run._slice))
    with monkeypatch.context() as cut:
        cut_off_after(2, cut)
        with pytest.raises(Interrupt):
            bulk_run.run(action_id)
    assert statuses() == {"CANCELLED": 1_000, "QUEUED": 300}
    assert (the_action()["changed"], the_action()["outcome"]) == (500, None)
    mongo.sync_database()[BULK_ACTIONS].update_one({}, {"$set": {"lease.expiresAt": stored.now() - timedelta(seconds=1)}})
    assert bulk_run.run(action_id) == "done"
    assert statuses() == {"CANCELLED": 1_300}
    # What the first one did and did not record is in nobody's count, and nothing is counted twice.
    assert the_action()["changed"] == 800


def _leaving_the_lease(real: Any) -> Any:
    """Let an Interrupt out as a killed process ends: without a last word."""

    async def run_slice(db: Any, action_id: str, token: str) -> str:
        document = await bulk_actions.claim(db, action_id, token)
        if document is None:
            return str(await real(db, action_id, token))
        await bulk.cancel(db, bulk_actions.selection_of(document), bulk_run._Witness(db, action_id, token))
        await bulk_actions.end(db, action_id, token, BulkOutcome.DONE)
        return "done"

    return run_slice


def test_while_one_worker_has_it_another_leaves_it_alone(client: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "LEASE_SECONDS", 0.6)
    many(3)
    action_id = begin(client, "cancel")

    async def held() -> None:
        db = mongo.database()
        assert await bulk_actions.claim(db, action_id, "first") is not None
        assert await bulk_actions.claim(db, action_id, "second") is None
        assert await bulk_actions.advance(db, action_id, "second", seen=1, changed=1) is None
        assert not await bulk_actions.end(db, action_id, "second", BulkOutcome.DONE)
        assert await bulk_actions.claim(db, action_id, "first") is not None

    mongo.run(held())
    assert the_action()["changed"] == 0
    assert bulk_run.run(action_id) == "done"  # when the first one's lease has run out


def test_it_is_stopped_after_its_present_group(client: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    many(1_300)
    action_id = begin(client, "cancel")
    real = bulk_actions.advance

    async def advance(db: Any, *args: Any, **counts: Any) -> Any:
        await bulk_actions.request_stop(db, action_id, by="olga")
        return await real(db, *args, **counts)

    monkeypatch.setattr(bulk_actions, "advance", advance)
    assert bulk_run.run(action_id) == "stopped"
    assert statuses() == {"CANCELLED": 500, "QUEUED": 800}
    assert (the_action()["outcome"], the_action()["stoppedBy"]) == ("stopped", "olga")


def test_one_that_nobody_works_on_is_stopped_at_once(client: Any, store: Store) -> None:
    many(3)
    action_id = begin(client, "cancel")
    page = f"{LIST}bulk/{action_id}/"
    assert "Stop it" in client.get(page).content.decode()
    assert client.get(f"{page}stop/").status_code == 302 and the_action()["outcome"] is None
    client.post(f"{page}stop/")
    assert the_action()["outcome"] == "stopped" and "olga asked it to stop." in client.get(page).content.decode()
    assert bulk_run.run(action_id).startswith("ended")
    assert statuses() == {"QUEUED": 3}
    assert [message.level_tag for message in get_messages(client.post(f"{page}stop/").wsgi_request)] == ["error"]


def test_a_long_one_is_done_in_slices(client: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_run, "SLICE_SECONDS", 0.0)
    many(1_300)
    action_id = begin(client, "cancel")
    packages = mongo.sync_database()[PACKAGES]
    assert [bulk_run.run(action_id) for _ in range(3)] == ["to be continued"] * 3
    assert packages.count_documents({}) == 4
    assert bulk_run.run(action_id) == "done"
    assert the_action()["changed"] == 1_300


def test_whoever_looks_at_one_whose_worker_has_died_gets_it_going_again_once(client: Any, store: Store) -> None:
    many(3)
    action_id = begin(client, "cancel")
    actions, packages = mongo.sync_database()[BULK_ACTIONS], mongo.sync_database()[PACKAGES]
    client.get(f"{LIST}bulk/{action_id}/")
    assert packages.count_documents({}) == 1  # it was handed out a moment ago
    dead = {"handedOutAt": stored.now() - timedelta(minutes=1), "lease": {"token": "t", "expiresAt": stored.now() - timedelta(seconds=1)}}
    actions.update_one({}, {"$set": dead})
    client.get(f"{LIST}bulk/{action_id}/")
    assert packages.count_documents({}) == 1  # no worker is there: an open page would fill the queue with the same
    mongo.sync_database()[WORKERS].insert_one({"_id": "w", "heartbeatAt": stored.now(), "draining": False, "types": []})
    waiting._known.clear()
    for _ in range(3):
        client.get(f"{LIST}bulk/{action_id}/")
    assert packages.count_documents({}) == 2


def test_one_that_fails_says_so(client: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    many(3)
    action_id = begin(client, "cancel")
    mongo.sync_database()[BULK_ACTIONS].update_one({}, {"$set": {"action": "explode"}})
    assert bulk_run.run(action_id) == "failed"
    assert (the_action()["outcome"], the_action()["error"]) == ("failed", "KeyError")
    assert "KeyError" in client.get(f"{LIST}bulk/{action_id}/").content.decode()
    assert bulk_run.run("gone") == "gone"


def test_the_list_shows_what_is_under_way(client: Any, store: Store) -> None:
    many(3)
    action_id = begin(client, "cancel")
    address = f'href="{LIST}bulk/{action_id}/"'
    assert address in client.get(LIST).content.decode()
    bulk_run.run(action_id)
    assert address not in client.get(LIST).content.decode()


def test_the_latest_are_listed_and_the_admins_history_leads_to_them(client: Any, store: Store) -> None:
    many(3)
    action_id = begin(client, "cancel")
    page = client.get(f"{LIST}bulk/").content.decode()
    assert f'href="{LIST}bulk/{action_id}/"' in page and "Waiting for a worker" in page and "because" in page
    assert client.get(f"{LIST}{action_id}/")["Location"] == f"{LIST}bulk/{action_id}/"
    assert f"{LIST}{action_id}/" in client.get("/admin/").content.decode()
    assert client.get(f"{LIST}bulk/nothing/").status_code == 404
    assert client.get(f"{LIST}bulk/{action_id}/", headers={"hx-request": "true"}).content.decode().count('hx-swap-oob="true"') == 3


def test_of_one_that_is_no_longer_kept_the_admins_history_still_tells(client: Any, store: Store) -> None:
    many(1_200)
    action_id = begin(client, "cancel", "type=summary")
    mongo.sync_database()[BULK_ACTIONS].delete_one({})
    page = client.get(f"{LIST}{action_id}/")
    [line] = page.context["audit"]
    assert (page.status_code, line.who, line.action, line.outcome, line.selected) == (404, "olga", "Cancel", "bulk", "1,200")
    assert "(all that match: 1,200)" in page.content.decode() and "because" in page.content.decode()


def test_all_of_them_are_listed_page_by_page(client: Any, store: Store) -> None:
    many(1)
    begin(client, "cancel")
    action = the_action()
    earlier = [action | {"_id": f"{number:024x}", "createdAt": action["createdAt"] - timedelta(minutes=number // 3)} for number in range(120)]
    mongo.sync_database()[BULK_ACTIONS].insert_many(earlier)
    newest_first = [each["_id"] for each in sorted([action, *earlier], key=lambda each: (each["createdAt"], each["_id"]), reverse=True)]
    address, seen = f"{LIST}bulk/", []
    for place in range(3):
        page = client.get(address)
        seen.append([each.action_id for each in page.context["actions"]])
        query = page.context["older_query"]
        assert (f'href="{LIST}bulk/"' in page.content.decode().split('id="bulk-actions"')[1]) == bool(place)
        assert not query or f'href="{LIST}bulk/?{query}"' in page.content.decode()
        address = f"{LIST}bulk/?{query}"
    assert seen == [newest_first[:50], newest_first[50:100], newest_first[100:]] and not query


def test_a_selection_is_stored_and_read_as_it_was(client: Any, store: Store) -> None:
    selection = Selection(
        task_ids=("a", "b"),
        user_id="alice",
        task_types=("T",),
        statuses=states.WAITING,
        children=False,
        parent_id="p",
        error_code="e",
        subject_ids=("s",),
        condition='{"status": "QUEUED"}',
        created_after=stored.now(),
        created_before=stored.now(),
        ended_before=stored.now(),
    )
    assert all(value for field, value in dataclasses.asdict(selection).items() if field != "children")

    async def through_the_database() -> Selection:
        wanted = Wanted("cancel", "u", "olga", selection, "", "", "", 1, True)
        made = await bulk_actions.create(mongo.database(), wanted)
        return bulk_actions.selection_of(await bulk_actions.get(mongo.database(), made["_id"]))

    assert mongo.run(through_the_database()) == selection
    assert new_id() not in statuses()
