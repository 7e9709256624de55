"""The list under an operator's hands: keyboard, search, filters, pages, and a table in which nothing jumps."""

import re
from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import Route, expect

from ainoval import mongo
from tasks_app import operations
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.browser.conftest import Json, Open, page_of
from tests.browser.visitor import LIST, Visitor
from tests.support import stored

Many = Callable[..., list[str]]


def in_view(visitor: Visitor, task_id: str) -> dict[str, float]:
    box = visitor.row(task_id).bounding_box()
    assert box is not None
    return {"y": box["y"], "height": box["height"]}


def test_keys_move_select_open_search_and_help(visit: Open, many: Many) -> None:
    many(3)
    visitor = visit().open()
    keyboard, rows = visitor.page.keyboard, visitor.rows()
    visitor.refresh_every(0)
    visitor.page.locator("h1").click()
    for _ in range(2):
        keyboard.press("j")
    expect(visitor.row(rows[1]).locator(".task-link")).to_be_focused()
    keyboard.press("x")
    expect(visitor.row(rows[1]).locator("input[name=task]")).to_be_checked()
    keyboard.press("j")
    keyboard.press("x")
    expect(visitor.page.locator("#selected-count")).to_have_text("2 selected")
    keyboard.press("k")
    keyboard.press("k")
    expect(visitor.row(rows[0]).locator(".task-link")).to_be_focused()
    keyboard.press("Escape")
    expect(visitor.page.locator("#selected-count")).to_have_text("0 selected")
    keyboard.press("?")
    expect(visitor.page.locator("#help")).to_be_visible()
    expect(visitor.page.locator("#help")).to_contain_text("next and previous task")
    keyboard.press("Escape")
    expect(visitor.page.locator("#help")).to_be_hidden()
    keyboard.press("/")
    expect(visitor.page.locator("#search")).to_be_focused()
    keyboard.type("status:queued j k x ?")  # letters in a box are letters
    expect(visitor.page.locator("#search")).to_have_value("status:queued j k x ?")
    keyboard.press("Escape")
    expect(visitor.page.locator("#search")).not_to_be_focused()
    visitor.page.locator("h1").click()
    keyboard.press("j")
    keyboard.press("Enter")
    visitor.page.wait_for_url(f"**{page_of(rows[0])}")


def test_a_search_becomes_an_address_that_can_be_sent_to_somebody(visit: Open, store: Callable[..., Json], users: dict[str, str]) -> None:
    hers = store(TaskStatus.FAILED, user=users["alice"])
    store(TaskStatus.FAILED, user=users["bob"])
    store(user=users["alice"])
    visitor = visit().open()
    visitor.page.fill("#search", "user:alice status:failed type:summary error:it_broke created:<2h")
    visitor.page.press("#search", "Enter")
    expect(visitor.page.locator("#tasks tbody tr")).to_have_count(1)
    assert visitor.rows() == [hers["_id"]]
    address = visitor.page.url
    assert "status=FAILED" in address and "user=alice" in address and "error=it_broke" in address
    assert visit().open(address).rows() == [hers["_id"]]
    expect(visitor.page.locator("select[name=type]")).to_have_value("summary")
    # Another tab keeps the filters; a click on an owner is a filter.
    visitor.page.locator(".tab", has_text="Queued").click()
    expect(visitor.page.locator("#tasks tbody tr")).to_have_count(0)
    visitor.page.locator("a.clear").click()
    expect(visitor.page.locator("#tasks tbody tr")).to_have_count(1)
    visitor.page.locator(".owner-cell a").first.click()
    expect(visitor.page.locator("#search")).to_have_value("user:alice")
    visitor.page.fill("#search", hers["_id"])
    visitor.page.press("#search", "Enter")
    visitor.page.wait_for_url(f"**{page_of(hers)}")


def test_a_search_that_makes_no_sense_is_explained(visit: Open, many: Many) -> None:
    many(1)
    visitor = visit().open()
    visitor.page.fill("#search", "colour:red created:soon")
    visitor.page.press("#search", "Enter")
    expect(visitor.page.locator("[role=alert]")).to_contain_text("There is no qualifier “colour:”")
    expect(visitor.page.locator("#search")).to_have_value("colour:red created:soon")
    expect(visitor.page.locator("#tasks")).to_have_count(0)


def test_nothing_moves_when_tasks_change_come_and_go(visit: Open, many: Many) -> None:
    tasks = many(30, user="somebody")
    visitor = visit().open(f"{LIST}?status=QUEUED")
    visitor.refresh_every(2)
    visitor.mark()
    shown = visitor.rows()
    places = {task_id: in_view(visitor, task_id) for task_id in shown}
    visitor.row(shown[4]).hover()
    visitor.row(shown[4]).locator(".task-link").focus()
    database = mongo.sync_database()
    mongo.run(_cancel(shown[4]))
    message = {"progress": {"percentage": 40, "message": "a message that is much longer than the column of the list is wide " * 3, "current": 1, "total": 9}}
    database[TASKS].update_one({"_id": shown[5]}, {"$set": message | {"errorInfo": {"code": "an_error_code_that_is_longer_than_its_column"}}})
    database[TASKS].delete_one({"_id": shown[6]})
    newer = many(3)
    expect(visitor.row(shown[4]).locator(".status")).to_have_text("Cancelled")
    expect(visitor.row(shown[5]).locator(".percent")).to_contain_text("40 %")
    expect(visitor.row(shown[6])).to_contain_text("This task was deleted.")
    expect(visitor.page.locator("#new-rows a")).to_have_text("3 new")
    assert visitor.rows() == shown and set(shown) == set(tasks)
    assert {task_id: in_view(visitor, task_id) for task_id in shown} == places
    expect(visitor.row(shown[4]).locator(".task-link")).to_be_focused()
    assert visitor.sees_the_same_page()
    visitor.page.locator("#new-rows a").click()
    expect(visitor.page.locator("#tasks tbody tr")).to_have_count(31)
    assert set(visitor.rows()[:3]) == set(newer)


async def _cancel(task_id: str) -> None:
    await operations.cancel(task_id, user_id=None)


def test_refreshing_pauses_while_tasks_are_selected(visit: Open, many: Many) -> None:
    many(5)
    visitor = visit().open()
    visitor.refresh_every(2)
    first, second = visitor.rows()[:2]
    visitor.row(first).locator("input[name=task]").check()
    expect(visitor.page.locator("#live-state")).to_have_text("paused while tasks are selected")
    mongo.run(_cancel(second))
    visitor.page.wait_for_timeout(3_000)
    expect(visitor.row(second).locator(".status")).to_have_text("Queued")
    visitor.row(first).locator("input[name=task]").uncheck()
    expect(visitor.row(second).locator(".status")).to_have_text("Cancelled")
    expect(visitor.page.locator("#live-state")).to_have_text("")


def test_a_task_that_is_selected_while_a_refresh_is_under_way_stays_selected(visit: Open, many: Many) -> None:
    [task_id] = many(1)
    visitor = visit().open()
    held: list[Route] = []
    visitor.page.route(re.compile("rows="), lambda route: held.append(route))
    visitor.refresh_every(2)
    while not held:
        visitor.page.wait_for_timeout(100)
    visitor.row(task_id).locator("input[name=task]").check()
    mongo.run(_cancel(task_id))
    with visitor.page.expect_response(re.compile("rows=")):
        held[0].continue_()
    visitor.page.wait_for_timeout(500)
    expect(visitor.row(task_id).locator("input[name=task]")).to_be_checked()
    expect(visitor.page.locator("#selected-count")).to_have_text("1 selected")


def test_refreshing_pauses_while_nobody_looks(visit: Open, many: Many) -> None:
    [task_id] = many(1)
    visitor = visit().open()
    visitor.refresh_every(2)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url) if "rows=" in request.url else None)
    hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s}); document.dispatchEvent(new Event('visibilitychange'))"
    visitor.page.evaluate(hide % "true")
    visitor.page.wait_for_timeout(300)
    asked.clear()
    visitor.page.wait_for_timeout(3_000)
    assert asked == []
    mongo.run(_cancel(task_id))
    visitor.page.evaluate(hide % "false")  # and who comes back sees how it is now, at once
    expect(visitor.row(task_id).locator(".status")).to_have_text("Cancelled")


def test_whoever_is_logged_out_meanwhile_is_told(visit: Open, many: Many) -> None:
    many(1)
    visitor = visit("may-delete").open()
    visitor.refresh_every(2)
    visitor.context.clear_cookies()
    expect(visitor.page.locator("#live-state")).to_contain_text("you are logged out")


def test_pages_lead_from_one_to_the_next_and_back(visit: Open, many: Many) -> None:
    begin = stored.now()
    mongo.sync_database()[TASKS].insert_many([stored.task(createdAt=begin - timedelta(seconds=n), availableAt=begin + timedelta(hours=1)) for n in range(100)])
    visitor = visit().open()
    seen = [visitor.rows()]
    for _ in range(2):
        visitor.page.locator("a[rel=next]").first.click()
        visitor.page.wait_for_load_state()
        seen.append(visitor.rows())
    assert [len(rows) for rows in seen] == [40, 40, 20] and len({task for rows in seen for task in rows}) == 100
    visitor.page.locator("a[rel=prev]").first.click()
    visitor.page.wait_for_load_state()
    assert visitor.rows() == seen[1]
    expect(visitor.page.locator("#new-rows a")).to_have_count(0)


def test_a_range_is_selected_with_shift(visit: Open, many: Many) -> None:
    many(6)
    visitor = visit().open()
    visitor.refresh_every(0)
    boxes = visitor.page.locator("input[name=task]")
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(visitor.page.locator("#selected-count")).to_have_text("4 selected")
    visitor.page.locator("#select-page").check()
    expect(visitor.page.locator("#selected-count")).to_have_text("6 selected")
