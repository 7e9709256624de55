"""The list: what it shows, its tabs, filters and pages."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils.html import escape

from ainoval import mongo
from ainoval.ids import new_id
from ainoval.novels.documents import NOVELS, SCENES
from tasks_app import operations
from tasks_app.admin import counting, tabs
from tasks_app.admin.words import STATUS_WORDS
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.conftest import until
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
    counting._known.clear()
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
        assert f'<span class="status status--{css}"><svg class="status-icon" aria-hidden="true"><use href="#status-{css}"/></svg>{STATUS_WORDS[status]}' in page
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
    assert listed(client, "type=nothing") == []
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


def follow(client: Any, answer: Any, which: str) -> Any:
    query = answer.context[f"{which}_query"]
    assert query is not None and f"?{escape(query)}" in answer.content.decode()
    return client.get(f"{LIST}?{query}")


def ids(answer: Any) -> list[str]:
    return [row.task_id for row in answer.context["rows"]]


def test_forty_tasks_a_page_the_newest_first(client: Any, database_name: str) -> None:
    begin = stored.now()
    # Many in each moment, as a batch plants them: the place between two pages is one of them.
    tasks = [stored.task(createdAt=begin - timedelta(seconds=n // 30)) for n in range(100)]
    mongo.sync_database()[TASKS].insert_many(tasks)
    newest_first = [task["_id"] for task in sorted(tasks, key=lambda task: (task["createdAt"], task["_id"]), reverse=True)]
    first = client.get(f"{LIST}?status=QUEUED")
    assert first.context["newer_query"] is None
    second = follow(client, first, "older")
    third = follow(client, second, "older")
    assert third.context["older_query"] is None
    assert [ids(first), ids(second), ids(third)] == [newest_first[:40], newest_first[40:80], newest_first[80:]]
    assert ids(follow(client, third, "newer")) == newest_first[40:80]
    again = follow(client, follow(client, third, "newer"), "newer")
    assert ids(again) == newest_first[:40]
    assert "status=QUEUED" in second.context["older_query"]


def test_a_page_keeps_its_tasks_when_new_ones_come(client: Any, database_name: str) -> None:
    begin = stored.now()
    mongo.sync_database()[TASKS].insert_many([stored.task(createdAt=begin - timedelta(seconds=n)) for n in range(60)])
    second = client.get(f"{LIST}?{client.get(LIST).context['older_query']}")
    mongo.sync_database()[TASKS].insert_many([stored.task(createdAt=begin + timedelta(seconds=n)) for n in range(20)])
    assert ids(client.get(second.request["PATH_INFO"] + "?" + second.request["QUERY_STRING"])) == ids(second)


@pytest.mark.parametrize(
    "query",
    [
        *(
            "status=NOPE",
            "parent=%ff",
            "error=%00",
            "created=soon",
            "created=%00",
            "about=%ff",
            "id=,,,",
            "children=perhaps",
            "q=%00",
            "q=%22",
            "q=:",
            "rows=1",
        ),
        "before=-1",
        "before=x",
        "after=1e9-y",
        "before=%D9%A1-x",
        "after=99999999999999999999-x",
        "before=0-",
        "before=6999999999999-f",
        "type=%00",
        "user=%00",
        "x=y",
    ],
)
def test_an_address_that_makes_no_sense_shows_a_list_or_says_why_not(query: str, client: Any, store: Store) -> None:
    store()
    answer = client.get(f"{LIST}?{query}", follow=True)
    assert answer.status_code == 200
    # A filter that cannot be understood must not show more than was asked for: what is shown may be acted on.
    assert bool(answer.context["rows"]) != bool(answer.context["problems"]) or not answer.context["state"].problems


@pytest.mark.parametrize("query", ["status=NOPE", "created=soon", "children=perhaps", "type=nothing", "user=nobody", "about=nothing"])
def test_a_filter_that_cannot_be_understood_shows_nothing_and_says_what_is_wrong(query: str, client: Any, store: Store) -> None:
    store()
    answer = client.get(f"{LIST}?{query}")
    assert answer.context["rows"] == [] and len(answer.context["problems"]) == 1
    assert 'role="alert"' in answer.content.decode()


def test_filters_by_error_and_age(client: Any, store: Store) -> None:
    failed, old = store(TaskStatus.FAILED)["_id"], store(createdAt=stored.now() - timedelta(hours=3))["_id"]
    retrying = store(TaskStatus.RETRYING)["_id"]
    assert set(listed(client, "error=it_broke")) == {failed, retrying}
    assert listed(client, "error=it_broke&status=FAILED") == [failed]
    assert listed(client, "error=other") == []
    assert listed(client, "created=%3E2h") == [old]
    assert set(listed(client, "created=%3C2h")) == {failed, retrying}
    assert counts(client, "error=it_broke")["FAILED"] == "1" and counts(client, "created=%3E2h")["QUEUED"] == "1"


def novel_of(author: Any, *, scenes: int = 1, chapters: int = 1) -> tuple[str, list[str]]:
    novel, chapter_ids = new_id(), [new_id() for _ in range(chapters)]
    database = mongo.sync_database()
    acts = [{"actId": new_id(), "title": "", "chapters": [{"chapterId": chapter_id, "title": ""} for chapter_id in chapter_ids]}]
    database[NOVELS].insert_one({"_id": novel, "author": str(author.pk), "title": "The Long Rain", "acts": acts})
    scene_ids = [new_id() for _ in range(scenes)]
    for number, scene_id in enumerate(scene_ids, start=12):
        database[SCENES].insert_one({"_id": scene_id, "novelId": novel, "chapterId": chapter_ids[-1], "sequence": number, "title": "", "content": "It rained."})
    return novel, scene_ids


def test_tasks_about_a_novel_or_a_scene_are_found_by_its_id(client: Any, store: Store, alice: Any, bob: Any) -> None:
    novel, (scene, other) = novel_of(alice, scenes=2)
    user = str(alice.pk)
    about_scene = store(user=user, parameters={"sceneId": scene})["_id"]
    about_other = store(user=user, parameters={"sceneId": other})["_id"]
    batch = store(user=user, task_type="BATCH_GENERATE_SUMMARY", parameters={"novelId": novel, "sceneIds": [scene]})["_id"]
    child = store(user=user, parent_id=batch, parameters={"sceneId": scene})["_id"]
    store(user=user, parameters={"sceneId": "another"})
    assert set(listed(client, f"about={scene}&children=1")) == {about_scene, batch, child}
    assert set(listed(client, f"about={novel}")) == {about_scene, about_other, batch}
    assert set(listed(client, f"about={novel}&user=alice&children=1")) == {about_scene, about_other, batch, child}
    assert "belongs to another user" in client.get(f"{LIST}?about={novel}&user=bob").content.decode()
    mongo.sync_database()[NOVELS].delete_one({"_id": novel})
    assert "found together with their user" in client.get(f"{LIST}?about={novel}").content.decode()
    assert listed(client, f"about={novel}&user=alice") == [batch]


def test_a_type_is_found_by_a_part_of_its_name(client: Any, store: Store) -> None:
    batch, single = store(task_type="BATCH_GENERATE_SCENE")["_id"], store(task_type="GENERATE_SCENE")["_id"]
    gone = store(task_type="NO_LONGER_HERE")["_id"]
    assert listed(client, "type=batch") == [batch]
    assert set(listed(client, "type=scene")) == {batch, single}
    assert listed(client, "type=generate-scene") == [single]
    assert listed(client, "type=no-longer-here") == [gone]


def test_a_search_leads_to_the_address_that_says_the_same(client: Any, store: Store, alice: Any) -> None:
    task = store(TaskStatus.FAILED, user=str(alice.pk))
    answer = client.get(LIST, {"q": "user:alice status:failed error:it_broke created:<24h type:summary"})
    assert answer.status_code == 302
    assert answer["Location"] == f"{LIST}?status=FAILED&type=summary&user=alice&error=it_broke&created=%3C24h"
    page = client.get(answer["Location"])
    assert ids(page) == [task["_id"]]
    assert 'value="status:failed type:summary user:alice error:it_broke created:&lt;24h"' in page.content.decode()


def test_a_bare_word_is_looked_up(client: Any, store: Store, alice: Any) -> None:
    novel, (scene,) = novel_of(alice)
    task = store(user=str(alice.pk), parameters={"sceneId": scene})
    assert client.get(LIST, {"q": f" {task['_id']} "})["Location"] == page_of(task)
    assert client.get(LIST, {"q": f"{task['_id']} status:failed"})["Location"] == f"{LIST}?status=FAILED&id={task['_id']}"
    assert client.get(LIST, {"q": scene})["Location"] == f"{LIST}?about={scene}"
    assert client.get(LIST, {"q": novel})["Location"] == f"{LIST}?about={novel}"
    assert client.get(LIST, {"q": "alice status:queued"})["Location"] == f"{LIST}?status=QUEUED&user=alice"
    assert client.get(LIST, {"q": ""})["Location"] == LIST


def test_words_that_contradict_each_other_list_nothing(client: Any, store: Store, alice: Any, bob: Any) -> None:
    _novel, scenes = novel_of(alice, scenes=2)
    store(user=str(bob.pk), parameters={"sceneId": scenes[1]})
    for text in ("alice bob", "user:alice bob", " ".join(scenes), f"about:{scenes[0]} {scenes[1]}"):
        answer = client.get(LIST, {"q": text})
        assert answer.status_code == 200 and "is given twice" in answer.content.decode()
        assert answer.context["rows"] == []


def test_a_search_that_makes_no_sense_is_explained_and_kept_in_the_box(client: Any, store: Store) -> None:
    task = store()
    wrong = [("colour:red", "There is no qualifier"), ("rainbow", "is no task, novel, scene or user"), ("status:x created:y", "There is no status")]
    for text, said in [*wrong, (f"colour:red {task['_id']}", "There is no qualifier")]:
        answer = client.get(LIST, {"q": text})
        page = answer.content.decode()
        assert answer.status_code == 200 and said in page and f'value="{text}"' in page
        assert answer.context["rows"] == []


def test_ids_list_these_tasks_children_as_well(client: Any, store: Store) -> None:
    one, child, _other = store(), store(parent_id="a" * 24), store()
    assert set(listed(client, f"id={one['_id']},{child['_id']}")) == {one["_id"], child["_id"]}


def test_the_list_says_how_many_tasks_of_batches_it_leaves_out(client: Any, store: Store) -> None:
    parent = store(TaskStatus.COMPLETED_WITH_ERRORS)["_id"]
    for _ in range(3):
        store(parent_id=parent)
    counting._known.clear()
    page = client.get(LIST).content.decode()
    assert "and 3 in batches" in page and f"{LIST}?children=1" in page
    assert "in batches" not in client.get(f"{LIST}?children=1").content.decode()


def test_counts_above_ten_thousand_are_estimated(client: Any, database_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "EXACT_LIMIT", 100)
    monkeypatch.setattr(tabs, "EXACT_LIMIT", 100)
    mongo.sync_database()[TASKS].insert_many([stored.task(_id=f"{number:024x}") for number in range(250)])
    assert counts(client)["QUEUED"] in ("100+", "≈ 250")

    async def known() -> Any:
        async def estimated() -> bool:
            return any(count.estimated for entry in counting._known.values() for count in entry.counts.values())

        return await until(estimated)

    mongo.run(known())
    assert {tab.key: tab.count for tab in client.get(LIST).context["tabs"]}["QUEUED"] == "≈ 250"


def refreshed(client: Any, query: str, rows: list[str]) -> Any:
    return client.get(f"{LIST}?{query}&rows={','.join(rows)}", headers={"hx-request": "true"})


def test_a_refresh_brings_the_rows_that_are_shown_and_nothing_else_of_the_page(client: Any, store: Store) -> None:
    tasks = [store()["_id"] for _ in range(3)]
    answer = refreshed(client, "status=QUEUED", tasks)
    text = answer.content.decode()
    assert [row.task_id for row in answer.context["rows"]] == tasks
    assert text.count('hx-swap-oob="true"') == 3 + 10 + 4  # rows, counts, four parts
    assert "<html" not in text and 'id="site-name"' not in text


@pytest.mark.parametrize("permissions", [("view",), ("view", "cancel")])
@pytest.mark.parametrize("tasks", [0, 1])
def test_a_refresh_brings_no_part_that_is_not_on_the_page(permissions: tuple[str, ...], tasks: int, staff: Staff, store: Store) -> None:
    client, rows = staff(*permissions), [store()["_id"] for _ in range(tasks)]
    page = client.get(LIST).content.decode()
    parts = re.findall(r'id="([\w-]+)"[^>]* hx-swap-oob="true"', refreshed(client, "", rows).content.decode())
    assert len(parts) > 10
    assert [part for part in parts if f'id="{part}"' not in page] == []


def test_a_refresh_keeps_the_order_marks_what_moved_on_and_announces_what_is_new(client: Any, store: Store) -> None:
    first, second, third = store(), store(), store(TaskStatus.FAILED)
    shown = [second["_id"], first["_id"]]
    mongo.run(_cancel(first["_id"]))
    mongo.sync_database()[TASKS].delete_one({"_id": second["_id"]})
    newer = [store(), store()]
    answer = refreshed(client, "status=QUEUED", shown)
    [row] = answer.context["rows"]
    assert (row.task_id, row.moved, row.status.value) == (first["_id"], True, "CANCELLED")
    text = answer.content.decode()
    assert "This task was deleted." in text and "2 new" in text
    assert third["_id"] not in text and newer[0]["_id"] not in text


async def _cancel(task_id: str) -> None:
    await operations.cancel(task_id, user_id=None)


def test_a_row_changes_its_revision_when_something_but_its_clock_does(client: Any, store: Store) -> None:
    task = store(TaskStatus.RUNNING)

    def revision() -> str:
        [row] = refreshed(client, "", [task["_id"]]).context["rows"]
        return str(row.revision)

    before = revision()
    assert revision() == before
    mongo.sync_database()[TASKS].update_one({"_id": task["_id"]}, {"$set": {"progress.percentage": 50}})
    assert revision() != before


def test_a_task_is_named_by_what_it_works_on(client: Any, store: Store, alice: Any) -> None:
    novel, (scene,) = novel_of(alice)
    store(parameters={"sceneId": scene})
    store(task_type="BATCH_GENERATE_SUMMARY", parameters={"novelId": novel, "sceneIds": [scene, new_id()]})
    store(parameters={"sceneId": "gone"})
    rows = client.get(LIST).context["rows"]
    shown = {(row.subject.label, row.subject.novel) for row in rows}
    assert shown == {("Scene 12", "The Long Rain"), ("2 scenes", "The Long Rain"), ("A scene that is gone (gone)", "")}


def test_a_scene_of_a_novel_with_chapters_is_named_with_its_chapter(client: Any, store: Store, alice: Any) -> None:
    _novel, (scene,) = novel_of(alice, chapters=5)
    mongo.sync_database()[SCENES].update_one({"_id": scene}, {"$set": {"title": "Arrival"}})
    store(parameters={"sceneId": scene})
    [row] = client.get(LIST).context["rows"]
    assert row.subject.label == "Chapter 5, scene 12 “Arrival”"
    assert row.subject.line == "Chapter 5, scene 12 “Arrival” of “The Long Rain”"


def test_a_waiting_task_says_why_and_a_running_one_for_how_long(client: Any, store: Store) -> None:
    store()
    running: Json = store(TaskStatus.RUNNING)
    retrying = store(TaskStatus.RETRYING)
    rows = {row.task_id: row for row in client.get(LIST).context["rows"]}
    page = client.get(LIST).content.decode()
    assert "No worker is running; the task begins when one is started." in page
    assert rows[running["_id"]].clock.text.startswith("running for ") and rows[running["_id"]].clock.why == ""
    assert rows[retrying["_id"]].clock.text.startswith("again in ") and rows[retrying["_id"]].error_code == "it_broke"
    assert f'href="{page_of(running)}"' in page


def test_progress_is_a_bar_with_its_message(client: Any, staff: Staff, store: Store) -> None:
    store(progress={"percentage": 40, "message": "Chapter 2", "current": 2, "total": 5})
    page = staff("view", "view_text").get(LIST).content.decode()
    assert '<progress max="100" value="40"' in page
    assert "Chapter 2" in page and "(2/5)" in page
    # A message may quote the manuscript.
    masked = client.get(LIST).content.decode()
    assert "Chapter 2" not in masked and "••• (9 characters)" in masked


def test_tokens_of_all_attempts_are_shown(client: Any, store: Store) -> None:
    store(usage={"promptTokens": 1_200, "completionTokens": 34})
    page = client.get(LIST).content.decode()
    assert "1,234" in page and "1,200 in, 34 out" in page
