"""The whole life of a task, watched in pages that are never loaded again."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from ainoval import mongo
from tasks_app import operations
from tasks_app.states import TaskStatus
from tests.browser.conftest import Json, Open, page_of
from tests.browser.visitor import LIST
from tests.support.cluster import Cluster


def submit(user_id: str, task_type: str, parameters: Json) -> str:
    return str(mongo.run(operations.submit(user_id, task_type, parameters)).task_id)


def test_a_task_is_seen_to_wait_run_and_complete(visit: Open, users: dict[str, str], workers: Callable[..., Cluster]) -> None:
    task_id = submit(users["alice"], "TEST_PROGRESS", {"steps": 20, "seconds": 0.5})
    page, listed = visit().open(page_of(task_id)), visit().open(LIST)
    for visitor in (page, listed):
        visitor.refresh_every(2)
        visitor.mark()
    expect(page.status()).to_have_text("Queued")
    expect(page.page.locator("#task-panel")).to_contain_text("No worker is running; the task begins when one is started.")
    expect(page.page.locator("#task-panel")).to_contain_text("Place 1 in the queue.")
    workers()
    expect(page.status()).to_have_text("Running")
    expect(page.page.locator("#task-panel .message")).to_contain_text("step ")
    expect(listed.row(task_id).locator(".status")).to_have_text("Running")
    expect(listed.row(task_id).locator(".tick")).to_contain_text("running for")
    expect(page.status()).to_have_text("Completed")
    expect(page.page.locator("#task-panel")).to_contain_text("ended ")
    steps = page.page.locator("#task-timeline .step-text")
    expect(steps).to_contain_text(["Created", "waited ", "Attempt 1: completed", "Ended: Completed"])
    expect(listed.row(task_id).locator(".status")).to_have_text("Completed")
    expect(listed.row(task_id).locator(".percent")).to_contain_text("100 %")
    assert page.sees_the_same_page() and listed.sees_the_same_page()


def test_a_batch_is_seen_to_grow_and_to_be_cancelled(visit: Open, users: dict[str, str], workers: Callable[..., Cluster]) -> None:
    workers(TASKS_MAX_RUNNING_PER_USER="4")
    task_id = submit(users["alice"], "TEST_FAMILY", {"count": 12, "seconds": 60.0, "failing": 2})
    page = visit().open(page_of(task_id))
    page.refresh_every(2)
    page.mark()
    expect(page.page.locator(".cell")).to_have_count(12)
    expect(page.page.locator(".cell--failed")).to_have_count(2)
    expect(page.page.locator(".cell--running")).not_to_have_count(0)
    expect(page.page.locator("#task-panel")).to_contain_text("2 of 12 have ended.")
    page.page.locator("details.action summary", has_text="Cancel").click()
    page.page.locator("details.action[open] input[name=reason]").fill("too many")
    # While a reason is typed the form stays, whatever is refreshed around it.
    page.page.wait_for_timeout(2_500)
    expect(page.page.locator("details.action[open] input[name=reason]")).to_have_value("too many")
    assert page.sees_the_same_page()
    page.page.locator("details.action[open] button[type=submit]").click()
    expect(page.page.locator(".messagelist")).to_contain_text("1 task: the worker was asked to stop it.")
    page.mark()
    expect(page.status()).to_have_text("Cancelled")
    expect(page.page.locator(".cell--cancelled")).to_have_count(10)
    expect(page.page.locator("#task-audit")).to_contain_text("too many")
    assert page.sees_the_same_page()


def test_a_failing_task_shows_each_attempt_as_it_fails(visit: Open, users: dict[str, str], workers: Callable[..., Cluster]) -> None:
    task_id = submit(users["alice"], "TEST_FLAKY", {"failures": 9})
    page = visit().open(page_of(task_id))
    page.refresh_every(2)
    page.mark()
    workers()
    expect(page.status()).to_have_text("Failed")
    expect(page.page.locator("#task-attempts tbody tr")).to_have_count(3)
    expect(page.page.locator("#task-panel")).to_contain_text("unexpected_error")
    traceback = page.page.locator("#task-attempts details").first
    traceback.locator("summary").click()
    expect(traceback).to_contain_text("RuntimeError: secret path /etc/passwd")
    # What was opened stays open when the part around it is refreshed.
    mongo.sync_database()["background_tasks"].update_one({"_id": task_id}, {"$set": {"attempts.0.worker": "another"}})
    expect(page.page.locator("#task-attempts")).to_contain_text("another")
    expect(page.page.locator("#task-attempts details").first).to_have_attribute("open", "")
    assert page.sees_the_same_page()
    # The list under its error's filter is one click away.
    page.page.locator("#task-panel a.error-code").click()
    expect(page.row(task_id)).to_be_visible()


def test_clocks_tick_in_the_browser(visit: Open, store: Callable[..., Json]) -> None:
    task = store(TaskStatus.RUNNING)
    visitor = visit().open()
    visitor.refresh_every(0)
    clock = visitor.row(task["_id"]).locator(".tick")
    before = clock.text_content()
    expect(clock).not_to_have_text(before or "")


def test_a_refresh_is_remembered_and_can_be_off(visit: Open, store: Callable[..., Json]) -> None:
    task: Any = store(TaskStatus.RUNNING)
    visitor = visit().open()
    visitor.refresh_every(0)
    visitor.open(page_of(task))
    assert visitor.page.locator("input[name=refresh]:checked").get_attribute("value") == "0"
    mongo.sync_database()["background_tasks"].update_one({"_id": task["_id"]}, {"$set": {"progress.message": "changed"}})
    visitor.page.wait_for_timeout(3_000)
    expect(visitor.page.locator("#task-panel")).not_to_contain_text("changed")
    visitor.refresh_every(2)
    expect(visitor.page.locator("#task-panel")).to_contain_text("changed")


def test_a_page_whose_task_is_deleted_says_so_and_asks_no_more(visit: Open, store: Callable[..., Json]) -> None:
    task: Any = store(TaskStatus.FAILED)
    visitor = visit().open(page_of(task))
    visitor.expected.add(404)
    visitor.refresh_every(2)
    mongo.sync_database()["background_tasks"].delete_one({"_id": task["_id"]})
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    expect(visitor.page.locator("#live-state")).to_have_text("this page is not there any more: reload it")
    visitor.page.wait_for_timeout(3_000)
    assert len(asked) == 1
