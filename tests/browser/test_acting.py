"""Acting on tasks: one, selected ones, all that match, with other parameters; and who may do what."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from ainoval import mongo
from tasks_app.documents import BULK_ACTIONS, TASKS
from tasks_app.states import TaskStatus
from tests.browser.conftest import PERMISSIONS, Json, Open, page_of
from tests.browser.visitor import LIST
from tests.support import stored
from tests.support.cluster import Cluster

Many = Callable[..., list[str]]


def counted(**query: Any) -> int:
    return mongo.sync_database()[TASKS].count_documents(query)


def test_selected_tasks_are_cancelled_after_a_page_that_names_their_number(visit: Open, many: Many) -> None:
    many(20)
    visitor = visit().open(f"{LIST}?status=QUEUED")
    buttons = visitor.page.locator("#bulk button[name=action]")
    for button in buttons.all():
        expect(button).to_be_disabled()
    visitor.page.locator("#select-page").check()
    expect(visitor.page.locator("#selected-count")).to_have_text("20 selected")
    buttons.filter(has_text="Cancel").click()
    expect(visitor.page.locator("h1", has_text="Cancel: 20 tasks")).to_be_visible()
    visitor.page.fill("input[name=reason]", "flooded by a mistake")
    visitor.page.locator("button", has_text="Yes, Cancel: 20 tasks").click()
    expect(visitor.page.locator(".messagelist")).to_contain_text("20 tasks: cancelled.")
    assert counted(status="CANCELLED") == 20
    assert visitor.page.url.endswith(f"{LIST}?status=QUEUED")


def test_three_hundred_are_cancelled_in_the_background_while_the_page_is_closed(visit: Open, many: Many, workers: Callable[..., Cluster]) -> None:
    tasks = many(300)
    others = many(4, task_type="GENERATE_SCENE")
    visitor = visit().open(f"{LIST}?type=GENERATE_SUMMARY")
    assert len(visitor.rows()) == 40
    expect(visitor.page.locator("#total-matching")).to_have_text("all 300 that match")
    visitor.page.locator("#all-matching").check()
    visitor.page.locator("#bulk button[name=action]", has_text="Cancel").click()
    expect(visitor.page.locator("h1", has_text="Cancel: 300 tasks")).to_be_visible()
    expect(visitor.page.locator(".plan")).to_contain_text("type:GENERATE_SUMMARY")
    visitor.page.fill("input[name=reason]", "the wrong novel")
    visitor.page.locator("button", has_text="Yes, Cancel: 300 tasks").click()
    visitor.page.wait_for_url(f"**{LIST}bulk/*/")
    expect(visitor.page.locator("#bulk-panel")).to_contain_text("Waiting for a worker")
    expect(visitor.page.locator("#bulk-panel")).to_contain_text("No worker is running; it begins when one is started.")
    address = visitor.page.url
    visitor.refresh_every(2)
    visitor.mark()
    visitor.page.close()
    workers()
    later = visit("may-view").open(address)
    later.refresh_every(2)
    later.mark()
    expect(later.page.locator("#bulk-panel")).to_contain_text("Done")
    expect(later.page.locator("#bulk-panel")).to_contain_text("300 changed")
    expect(later.page.locator("#bulk-facts")).to_contain_text("the wrong novel")
    assert later.sees_the_same_page()
    assert counted(status="CANCELLED", _id={"$in": tasks}) == 300 and counted(status="QUEUED", _id={"$in": others}) == 4
    later.open(page_of(tasks[0]))
    expect(later.page.locator("#task-audit")).to_contain_text("(all that match: 300)")


def test_an_action_on_all_that_match_is_stopped_by_its_page(visit: Open, many: Many) -> None:
    many(60)
    visitor = visit().open()
    visitor.page.locator("#all-matching").check()
    visitor.page.locator("#bulk button[name=action]", has_text="Cancel").click()
    visitor.page.locator("form.confirm button[type=submit]").click()
    visitor.page.locator("button", has_text="Stop it").click()
    expect(visitor.page.locator("#bulk-panel")).to_contain_text("Stopped")
    expect(visitor.page.locator("#bulk-panel")).to_contain_text("olga asked it to stop.")
    assert counted(status="QUEUED") == 60
    visitor.open(f"{LIST}bulk/")
    expect(visitor.page.locator("#bulk-actions tbody tr")).to_have_count(1)


def test_a_task_is_requeued_with_other_parameters_and_mistakes_are_shown_beside_their_fields(visit: Open, workers: Callable[..., Cluster]) -> None:
    async def failed() -> Json:
        return await stored.in_state(mongo.database(), TaskStatus.FAILED, task_type="TEST_PROGRESS", parameters={"steps": 3, "seconds": 9.0, "tag": "slow"})

    task = mongo.run(failed())
    visitor = visit().open(page_of(task))
    visitor.expected.add(422)
    visitor.page.locator("a", has_text="Requeue with other parameters").click()
    expect(visitor.page.locator("#parameter-steps")).to_have_value("3")
    visitor.page.fill("#parameter-steps", "many")
    visitor.page.fill("input[name=reason] >> nth=0", "it was too slow")
    visitor.page.locator("form.parameters >> nth=0").locator("button[type=submit]").click()
    expect(visitor.page.locator(".parameter.wrong")).to_contain_text("This is not a number.")
    expect(visitor.page.locator("#parameter-tag")).to_have_value("slow")
    visitor.page.fill("#parameter-steps", "2")
    visitor.page.fill("#parameter-seconds", "0.05")
    visitor.page.locator("form.parameters >> nth=0").locator("button[type=submit]").click()
    expect(visitor.page.locator(".messagelist")).to_contain_text("1 task: queued again.")
    visitor.refresh_every(2)
    workers()
    expect(visitor.status()).to_have_text("Completed")
    expect(visitor.page.locator("#task-parameters")).to_contain_text("0.05")
    expect(visitor.page.locator("#task-audit")).to_contain_text("Requeue with other parameters")
    expect(visitor.page.locator("#task-timeline")).to_contain_text("it was too slow")


READY = {"cancel": TaskStatus.QUEUED, "requeue": TaskStatus.FAILED, "apply": TaskStatus.COMPLETED, "delete": TaskStatus.FAILED}
WORDS = {"cancel": "Cancel", "requeue": "Requeue", "apply": "Apply", "delete": "Delete"}


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_everybody_sees_the_actions_of_their_own_permissions_only(permission: str, visit: Open, store: Callable[..., Json]) -> None:
    task = store(READY.get(permission, TaskStatus.QUEUED), parameters={"sceneId": "s", "instructions": "Mara must not die."})
    visitor = visit("may-" + permission.replace("_", "-")).open(page_of(task))
    expected = [WORDS[permission] + "…"] if permission in WORDS else []
    assert [text.strip() for text in visitor.page.locator("#task-actions .action summary").all_text_contents()] == expected
    text = visitor.page.locator("#task-parameters")
    expect(text).to_contain_text("Mara must not die." if permission == "view_text" else "••• (18 characters)")
    visitor.open()
    offered = visitor.page.locator("#bulk button[name=action]").all_text_contents()
    assert offered == ([WORDS[permission] + "…"] if permission in WORDS and permission != "apply" else [])
    assert visitor.page.locator("input[name=task]").count() == (1 if offered else 0)
    # Whoever sends the form all the same is refused.
    visitor.expected.add(403)
    for action in WORDS:
        if action != permission:
            form = {"csrfmiddlewaretoken": _token(visitor), "reason": "x"}
            assert visitor.context.request.post(page_of(task, action), form=form, headers={"Referer": visitor.page.url}).status == 403
    assert mongo.sync_database()[TASKS].find_one({"_id": task["_id"]})["status"] == task["status"]
    assert mongo.sync_database()[BULK_ACTIONS].count_documents({}) == 0


def _token(visitor: Any) -> str:
    return next(cookie["value"] for cookie in visitor.context.cookies() if cookie["name"] == "csrftoken")
