"""The overview: every reason to wait, a task type that has begun to fail, and numbers that lead to what they count."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from ainoval import mongo
from ainoval.development.seeding.live import stuck_id
from tasks_app.documents import WORKERS
from tasks_app.states import TaskStatus
from tests.browser.conftest import Json, Open
from tests.browser.visitor import LIST, Visitor
from tests.support import http_server, stored
from tests.support.cluster import PROJECT_ROOT

OVERVIEW = f"{LIST}overview/"

# What an operator reads; those that hold for the whole system are in tests of their own.
REASONS = {
    "queued": "In the queue for a free worker.",
    "user_limit": "As many tasks of this user are running as are allowed at once.",
    "provider_limited": "The AI provider takes no more at the moment.",
    "backoff": "The last attempt failed; the next one begins after a pause.",
    "awaiting_children": "Waiting for the tasks of this batch to end.",
    "unknown_type": "No running worker knows this task type.",
}


@contextmanager
def seeded_workers(server: http_server.HttpServer) -> Iterator[None]:
    """Fill the database as an operator would, and keep its workers reporting."""
    seed = [sys.executable, "manage.py", "seed_console"]
    subprocess.run([*seed, "--tasks", "2000", "--users", "6"], cwd=PROJECT_ROOT, env=server.environment, check=True, timeout=120, capture_output=True)
    beat = subprocess.Popen([*seed, "--tasks", "0", "--beat"], cwd=PROJECT_ROOT, env=server.environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        beat.terminate()
        beat.wait(30)


def test_numbers_that_are_still_being_counted_follow_at_once(visit: Open) -> None:
    visitor = visit()
    visitor.open(OVERVIEW)
    visitor.refresh_every(15)

    def counting(route: Route) -> None:
        if route.request.headers.get("hx-request"):
            route.continue_()
        else:
            page = route.fetch()
            route.fulfill(response=page, body=page.text().replace('id="live" hidden', 'id="live" hidden data-counting'))

    visitor.page.route(f"**{OVERVIEW}", counting)
    with visitor.page.expect_request(lambda request: "hx-request" in request.headers, timeout=10_000):
        visitor.open(OVERVIEW)


def test_each_reason_to_wait_and_the_failing_type_are_seen_and_lead_to_their_tasks(visit: Open, _server: tuple[http_server.HttpServer, Path]) -> None:
    with seeded_workers(_server[0]):
        visitor = visit().open(OVERVIEW)
        visitor.refresh_every(2)
        visitor.mark()
        alerts = visitor.page.locator("#alerts")
        expect(alerts).to_contain_text("Generate scene is failing")
        for code, words in REASONS.items():
            expect(visitor.page.locator(f"#reason-{code}")).to_contain_text(words)
        other = visit()
        for code in REASONS:
            other.open(f"{LIST}?waiting={code}&children=1&id={stuck_id(code)}")
            expect(other.row(stuck_id(code))).to_have_count(1)
        other.open(OVERVIEW).page.locator("#reason-unknown_type a").click()
        expect(other.row(stuck_id("unknown_type")).locator(".why")).to_have_text(REASONS["unknown_type"])
        other.open(OVERVIEW).page.locator("#alerts a", has_text="Show them").first.click()
        expect(other.page.locator("#tasks tbody tr .status").first).to_have_text("Failed")
        expect(other.page.locator("#tasks tbody tr .task-link").first).to_have_text("Generate scene")
    # Nobody reports any more.
    expect(alerts).to_contain_text("No worker is running: nothing that is queued will begin.")
    expect(visitor.page.locator("#reason-no_worker")).to_contain_text("No worker is running")
    assert visitor.sees_the_same_page()


def test_the_limits_of_a_type_and_of_the_system_are_reasons_to_wait(visit: Open, database_name: str, tmp_path: Path, _chromium: Any) -> None:
    def store(status: TaskStatus, task_type: str) -> Json:
        async def make() -> Json:
            return await stored.in_state(mongo.database(), status, task_type=task_type)

        return mongo.run(make())

    later = stored.now() + timedelta(hours=1)  # its last report never gets old
    worker = {
        "_id": "w",
        "host": "host-1",
        "pid": 4711,
        "cluster": "c",
        "slots": 200,
        "running": 1,
        "draining": False,
        "startedAt": later,
        "heartbeatAt": later,
    }
    mongo.sync_database()[WORKERS].insert_one(worker | {"types": ["GENERATE_SUMMARY", "GENERATE_SCENE"]})
    store(TaskStatus.RUNNING, "GENERATE_SCENE")
    store(TaskStatus.QUEUED, "GENERATE_SCENE")
    operator = f'from ainoval.accounts.models import User\nUser.objects.create_superuser("olga", password="{http_server.PASSWORD}")'
    limits = {"TASKS_TYPE_LIMITS": "GENERATE_SCENE=1", "TASKS_MAX_RUNNING": "2", "TASKS_MAX_RUNNING_PER_USER": "2"}
    with (
        http_server.running(tmp_path, mongo.uri(), database_name, make_users=operator, **limits) as server,
        Visitor.browsing(_chromium, f"http://127.0.0.1:{server.port}") as visitor,
    ):
        visitor.log_in("olga", http_server.PASSWORD)
        visitor.open(OVERVIEW).refresh_every(2)
        expect(visitor.page.locator("#reason-type_limit")).to_contain_text("As many tasks of this type are running as are allowed at once.")
        store(TaskStatus.RUNNING, "GENERATE_SUMMARY")
        expect(visitor.page.locator("#reason-system_limit")).to_contain_text("As many tasks are running as the system allows.")
        expect(visitor.page.locator("#card-running")).to_contain_text("of 2, the system's limit")
        assert visitor.problems == []


@pytest.mark.parametrize(("card", "words"), [("queued", "Queued"), ("running", "Running"), ("retrying", "Retrying"), ("failed", "Failed")])
def test_a_card_leads_to_the_list_of_what_it_counts(card: str, words: str, visit: Open, store: Callable[..., Json]) -> None:
    tasks = {status: store(status) for status in TaskStatus if status is not TaskStatus.CANCELLING}  # which holds its slot, and is counted with it
    visitor = visit().open(OVERVIEW)
    visitor.refresh_every(2)
    expect(visitor.page.locator(f"#card-{card} .card-value")).to_have_text("1")
    visitor.page.locator(f"#card-{card} a").click()
    expect(visitor.page.locator("#tasks tbody tr")).to_have_count(1)
    expect(visitor.row(tasks[TaskStatus(card.upper())]["_id"]).locator(".status")).to_have_text(words)
