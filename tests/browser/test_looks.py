"""How the pages look and what they need: dark and light, Chinese, a phone, no script, nobody's script, and those who cannot see them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from ainoval import mongo
from ainoval.novels.documents import NOVELS, SCENES
from tasks_app.documents import BULK_ACTIONS, TASKS
from tasks_app.states import TaskStatus
from tests.browser.conftest import Json, Open, page_of
from tests.browser.visitor import LIST, Visitor
from tests.console.test_safety import PAYLOADS, everywhere
from tests.support import stored

Store = Callable[..., Json]


@pytest.fixture
def every_page(store: Store) -> dict[str, str]:
    """The addresses of all kinds of pages, with something of everything on them."""
    batch = store(TaskStatus.COMPLETED_WITH_ERRORS, task_type="BATCH_GENERATE_SUMMARY")
    for status in TaskStatus:
        store(status, progress={"percentage": 40, "message": "Writing", "current": 2, "total": 5})
        store(status, parent_id=batch["_id"])
    failed = store(TaskStatus.FAILED, parameters={"sceneId": "s", "instructions": "Be short. " * 40})
    action = {
        **{"_id": "a" * 24, "action": "cancel", "username": "olga", "filter": "status:queued", "query": "status=QUEUED", "reason": "flooded", "outcome": None},
        **{"expected": 10, "expectedExact": True, "seen": 4, "changed": 3, "startedAt": stored.now(), "endedAt": None, "selection": {}},
        **{"createdAt": stored.now(), "handedOutAt": stored.now(), "lease": {"token": "t", "expiresAt": stored.now() + stored.timedelta(hours=1)}},
    }
    mongo.sync_database()[BULK_ACTIONS].insert_one(action)
    return {
        "overview": f"{LIST}overview/?range=1h",
        "list": f"{LIST}?children=1",
        "problems": f"{LIST}?status=nope",
        "failed": page_of(failed),
        "batch": page_of(batch),
        "running": page_of(store(TaskStatus.RUNNING)),
        "edit": page_of(failed, "edit"),
        "bulk": f"{LIST}bulk/{'a' * 24}/",
        "bulk list": f"{LIST}bulk/",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_serious(scheme: str, visit: Open, every_page: dict[str, str]) -> None:
    visitor = visit(color_scheme=scheme)
    found = {}
    for name, address in every_page.items():
        visitor.open(address)
        visitor.open_all("details:not(.action)")
        if serious := visitor.axe():
            found[name] = serious
    visitor.open().page.keyboard.press("?")
    if serious := visitor.axe():
        found["help"] = serious
    assert found == {}


def test_the_admins_own_switch_makes_the_console_dark(visit: Open, store: Store) -> None:
    task = store(TaskStatus.FAILED)
    visitor = visit(color_scheme="light").open(page_of(task))

    def colours() -> tuple[str, str]:
        page = visitor.page
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return background, page.evaluate("getComputedStyle(document.querySelector('#task-head .status')).color")

    light = colours()
    for _ in range(3):  # auto, light, dark
        if colours() != light:
            break
        visitor.page.locator("button.theme-toggle").first.click()
    dark = colours()
    assert dark[0] != light[0] and dark[1] != light[1]
    assert visitor.open().page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_console_is_chinese_for_those_who_read_it(visit: Open, store: Store) -> None:
    task = store(TaskStatus.RUNNING)
    visitor = visit(locale="zh-CN").open()
    expect(visitor.page.locator("h1")).to_have_text("后台任务")
    expect(visitor.row(task["_id"]).locator(".status")).to_have_text("运行中")
    before = visitor.row(task["_id"]).locator(".tick").text_content() or ""
    assert before.startswith("已运行")
    expect(visitor.row(task["_id"]).locator(".tick")).not_to_have_text(before)  # ticking in Chinese
    expect(visitor.row(task["_id"]).locator(".tick")).to_contain_text("已运行")
    visitor.page.keyboard.press("?")
    expect(visitor.page.locator("#help")).to_contain_text("下一个和上一个任务")
    visitor.open(f"{LIST}overview/")
    expect(visitor.page.locator("h1")).to_have_text("总览")
    expect(visitor.page.locator("#card-running")).to_contain_text("运行中")
    visitor.open(page_of(task))
    expect(visitor.page.locator("#task-timeline")).to_contain_text("已运行")
    expect(visitor.page.locator("#task-actions")).to_contain_text("重新排队")


@pytest.mark.parametrize("width", [360, 768, 1024, 1280])
def test_no_page_is_wider_than_its_window(width: int, visit: Open, every_page: dict[str, str]) -> None:
    visitor = visit(viewport={"width": width, "height": 740}, has_touch=True, is_mobile=True)
    too_wide = {}
    for name, address in every_page.items():
        visitor.open(address)
        # Not the window's innerWidth: a phone makes it as wide as the page is.
        widths = [visitor.page.evaluate("document.documentElement.scrollWidth")]
        for menu in visitor.page.locator("details.action > summary").all():
            menu.click()
            widths.append(visitor.page.evaluate("document.documentElement.scrollWidth"))
            visitor.page.keyboard.press("Escape")
        if max(widths) > width:
            too_wide[name] = widths
    assert too_wide == {}
    visitor.open()
    if width == 360:
        row = visitor.page.locator("#tasks tbody tr").first
        expect(row.locator(".status")).to_be_visible()
        expect(row.locator(".tick")).to_be_visible()
        row.locator("input[name=task]").check()
        expect(visitor.page.locator("#selected-count")).to_have_text("1 selected")
        visitor.page.locator("summary", has_text="Filters").click()
        expect(visitor.page.locator("input[name=user]")).to_be_visible()


def test_everything_needed_works_without_a_script(visit: Open, store: Store, many: Callable[..., list[str]]) -> None:
    many(55)
    failed = store(TaskStatus.FAILED, parameters={"sceneId": "s" * 40})
    visitor = visit(java_script_enabled=False)
    page = visitor.open().page
    expect(page.locator("#live")).to_be_hidden()
    expect(page.locator(".help-button")).to_be_hidden()
    expect(page.locator(".tick").first).to_contain_text("ended")
    while page.locator(".tab", has_text="Queued").locator(".count").text_content() != "55":  # counts may be some seconds old
        visitor.open()
    page.locator("a[rel=next]").first.click()
    expect(page.locator("#tasks tbody tr")).to_have_count(16)
    page.fill("#search", "status:queued")
    page.press("#search", "Enter")
    page.locator("input[name=task]").first.check()
    page.locator("#bulk button[name=action]", has_text="Cancel").click()
    page.locator("button", has_text="Yes, Cancel: 1 task").click()
    expect(page.locator(".messagelist")).to_contain_text("1 task: cancelled.")
    page.locator("#all-matching").check()
    page.locator("#bulk button[name=action]", has_text="Cancel").click()
    expect(page.locator("h1", has_text="Cancel: 54 tasks")).to_be_visible()
    visitor.open(page_of(failed))
    page.locator("#task-parameters summary").first.click()  # the trees open and close by themselves
    page.locator("details.action summary", has_text="Requeue").click()
    page.locator("details.action[open] button[type=submit]").click()
    expect(page.locator(".messagelist")).to_contain_text("1 task: queued again.")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_stored_does_nothing_in_a_browser(payload: str, visit: Open, store: Store) -> None:
    task = store(TaskStatus.RUNNING)
    fields = everywhere(task["_id"], payload)
    fields["attempts"][0] |= {"startedAt": task["startedAt"], "endedAt": task["startedAt"]}
    fields["lease"]["expiresAt"] = stored.now() + stored.timedelta(hours=1)
    database = mongo.sync_database()
    database[TASKS].update_one({"_id": task["_id"]}, {"$set": fields})
    child = store(TaskStatus.FAILED, parent_id=task["_id"], parameters={"sceneId": payload})
    database[TASKS].update_one({"_id": child["_id"]}, {"$set": {"errorInfo.code": payload, "errorInfo.message": payload}})
    database[SCENES].insert_one({"_id": payload, "novelId": payload, "title": payload, "sequence": 1, "chapterId": payload})
    database[NOVELS].insert_one({"_id": payload, "title": payload, "author": payload})
    visitor = visit()
    visitor.expected.add(404)
    pages: list[Any] = [f"{LIST}overview/", f"{LIST}?children=1", page_of(task), page_of(child), page_of(child, "edit")]
    for address in pages:
        visitor.open(address)
        visitor.open_all("details")
        _nothing_foreign(visitor)
    # What a refresh brings, and what is echoed back.
    visitor.open(f"{LIST}?children=1").refresh_every(2)
    database[TASKS].update_one({"_id": task["_id"]}, {"$set": {"progress.message": f"{payload}!", "updatedAt": stored.now()}})
    expect(visitor.row(task["_id"]).locator(".message")).to_have_text(f"{payload}!")
    _nothing_foreign(visitor)
    visitor.page.fill("#search", payload)
    visitor.page.press("#search", "Enter")
    visitor.page.wait_for_load_state()
    _nothing_foreign(visitor)


def _nothing_foreign(visitor: Visitor) -> None:
    """No element, handler or address that a payload could have made."""
    selector = "img, iframe, object, embed, script:not([src]), style, [onerror], [onload], [onclick], [style]"
    made = visitor.page.evaluate(
        "selector => [...document.querySelectorAll(selector)].filter(each => !each.closest('#nav-sidebar, #header')).map(each => each.outerHTML)",
        selector,
    )
    assert made == []
    assert visitor.page.evaluate("[...document.links].filter(link => link.protocol === 'javascript:').length") == 0
