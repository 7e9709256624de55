"""The overview: each number is that of the tasks, and leads to them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from ainoval import mongo
from tasks_app import health, periods, waiting
from tasks_app.admin import counting
from tasks_app.admin.overview import page as overview_page
from tasks_app.admin.overview import reading
from tasks_app.documents import TASKS, WORKERS
from tasks_app.states import TaskStatus
from tasks_app.tally import Ending, Tally
from tests.console.conftest import LIST, Staff, Store
from tests.support import stored

pytestmark = pytest.mark.django_db

OVERVIEW = f"{LIST}overview/"


@pytest.fixture
def client(staff: Staff, database_name: str) -> Any:
    return staff("view")


@pytest.fixture
def worker(database_name: str) -> Callable[..., None]:
    """`worker("w", age=3)`: a worker that reported some seconds ago."""

    def report(name: str = "w", *, age: float = 0.0, **fields: Any) -> None:
        at = datetime.now(UTC) - timedelta(seconds=age)
        types = ["GENERATE_SUMMARY", "GENERATE_SCENE"]
        document = {"_id": name, "host": "host-1", "pid": 4711, "cluster": "c", "slots": 200, "running": 3, "draining": False, "types": types}
        mongo.sync_database()[WORKERS].insert_one(document | {"startedAt": at, "heartbeatAt": at} | fields)

    return report


def counted(*endings: tuple[timedelta, Ending]) -> None:
    """Store that tasks have ended, each some time ago."""

    async def write() -> None:
        tally = Tally(mongo.database())
        for ago, ending in endings:
            tally.ending(ending, datetime.now(UTC) - ago)
        await tally.flush()

    mongo.run(write())


def ended(status: TaskStatus, count: int = 1, task_type: str = "GENERATE_SUMMARY", **fields: Any) -> Ending:
    return Ending(task_type, fields.pop("resource", "ai:default"), status, count, **fields)


def cards(answer: Any) -> dict[str, Any]:
    return {card.key: card for card in answer.context["cards"]}


def listed(client: Any, query: str) -> set[str]:
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200 and not answer.context["problems"], answer.context["problems"]
    return {row.task_id for row in answer.context["rows"]}


def now_ids(*statuses: TaskStatus) -> set[str]:
    return {task["_id"] for task in mongo.sync_database()[TASKS].find({"status": {"$in": list(statuses)}}, {"_id": 1})}


def test_each_card_counts_and_leads_to_what_it_counts(client: Any, store: Store, worker: Any) -> None:
    worker()
    for status, number in ((TaskStatus.QUEUED, 3), (TaskStatus.RUNNING, 2), (TaskStatus.RETRYING, 4), (TaskStatus.CANCELLING, 1), (TaskStatus.FAILED, 5)):
        for _ in range(number):
            store(status)
    store(TaskStatus.FAILED, createdAt=stored.now() - timedelta(hours=30))
    shown = cards(client.get(OVERVIEW))
    assert {key: shown[key].value for key in ("queued", "running", "retrying", "cancelling", "failed")} == {
        "queued": "3",
        "running": "3",  # with the one that is being cancelled: it holds its slot
        "retrying": "4",
        "cancelling": "1",
        "failed": "5",
    }
    assert listed(client, shown["queued"].query) == now_ids(TaskStatus.QUEUED)
    assert listed(client, shown["running"].query) == now_ids(TaskStatus.RUNNING)
    assert listed(client, shown["retrying"].query) == now_ids(TaskStatus.RETRYING)
    assert listed(client, shown["cancelling"].query) == now_ids(TaskStatus.CANCELLING)
    assert len(listed(client, shown["failed"].query)) == 5


def test_the_oldest_wait_is_that_of_the_task_it_leads_to(client: Any, store: Store, worker: Any) -> None:
    worker()
    assert cards(client.get(OVERVIEW))["oldest"].query is None
    store(createdAt=stored.now() - timedelta(minutes=3))
    oldest = store(createdAt=stored.now() - timedelta(hours=2))["_id"]
    # Created long before, and sent back to the queue a moment ago.
    for _ in range(15):
        store(createdAt=stored.now() - timedelta(days=3), availableAt=stored.now())
    card = cards(client.get(OVERVIEW))["oldest"]
    assert card.value == "2 h"
    assert listed(client, card.query) == {oldest}


def test_running_is_shown_against_the_systems_limit_or_the_workers_slots(client: Any, store: Store, worker: Any, settings: Any) -> None:
    store(TaskStatus.RUNNING)
    assert (cards(client.get(OVERVIEW))["running"].note, cards(client.get(OVERVIEW))["running"].share) == ("no worker is running", None)
    worker("a", slots=3)
    worker("b", slots=1)
    worker("silent", slots=500, age=60)
    worker("draining", slots=500, draining=True)
    card = cards(client.get(OVERVIEW))["running"]
    assert (card.note, card.share) == ("of 4 slots", 25)
    settings.AINOVAL = settings.AINOVAL.model_copy(update={"tasks_max_running": 2, "tasks_max_running_per_user": 1})
    waiting._known.clear()
    card = cards(client.get(OVERVIEW))["running"]
    assert (card.note, card.share) == ("of 2, the system's limit", 50)


def test_tokens_are_those_since_midnight(client: Any) -> None:
    async def spend() -> None:
        db = mongo.database()
        for day, tokens in ((0, 12_345), (1, 999_999)):
            held = await stored.running(db, task_type="GENERATE_SUMMARY")
            at = datetime.combine(datetime.now(UTC).date(), datetime.min.time(), UTC) - timedelta(days=day) + timedelta(seconds=1)
            record = stored.record(held, ended_at=at, prompt_tokens=tokens, completion_tokens=55)
            tally = Tally(db)
            tally.attempt(held, stored.lifecycle.complete(held["_id"], record, result={}, progress={}, expire_at=None))
            await tally.flush()

    mongo.run(spend())
    card = cards(client.get(OVERVIEW))["tokens"]
    assert (card.value, card.note) == ("12.4 k", "12.3 k in, 55 out")
    assert card.query == f"created={datetime.now(UTC).date()}&children=1"


@pytest.mark.parametrize(("range_", "moments"), [("1h", 60), ("24h", 48), ("7d", 56)])
def test_charts_show_what_ended_in_each_period_and_a_table_says_the_same(client: Any, range_: str, moments: int) -> None:
    counted(
        (timedelta(minutes=3), ended(TaskStatus.COMPLETED, 30, run_seconds=2.0)),
        (timedelta(minutes=3), ended(TaskStatus.FAILED, 4, code="timeout")),
        (timedelta(days=20), ended(TaskStatus.FAILED, 100)),
    )
    answer = client.get(f"{OVERVIEW}?range={range_}")
    throughput, _wait, run = answer.context["charts"]
    assert throughput.summary == "34 tasks ended, 4 failed."
    assert {layer.css: layer.value for layer in throughput.layers} == {"failed": "4", "completed": "30"}
    assert [layer.word for layer in run.layers if layer.value.startswith(("1.", "2"))] == ["p50", "p95"]
    assert throughput.places.count("<rect") == moments
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</th>(.*?)</tr>", answer.context["rows"])
    assert len(rows) == moments
    [row] = [cells for _moment, cells in rows if "<td>34</td>" in cells]
    assert re.findall(r"<td>(.*?)</td>", row)[:3] == ["34", "4", "0"]


def test_charts_can_show_one_type(client: Any) -> None:
    counted(
        (timedelta(minutes=1), ended(TaskStatus.COMPLETED, 7)),
        (timedelta(minutes=1), ended(TaskStatus.COMPLETED, 5, "GENERATE_SCENE")),
        (timedelta(minutes=1), ended(TaskStatus.FAILED, 1, "GENERATE_SCENE", code="stalled")),
    )
    answer = client.get(f"{OVERVIEW}?type=GENERATE_SCENE")
    assert answer.context["charts"][0].summary == "6 tasks ended, 1 failed."
    assert [row.code for row in answer.context["errors"]] == ["stalled"]
    rows = {row.name: row for row in answer.context["types"]}
    assert rows["GENERATE_SCENE"].chosen and rows["GENERATE_SUMMARY"].ended == "7"


def test_each_type_shows_its_numbers_and_leads_to_them(client: Any, store: Store, worker: Any) -> None:
    worker()
    queued = store(task_type="GENERATE_SCENE")["_id"]
    store()
    running = store(TaskStatus.RUNNING, task_type="GENERATE_SCENE")["_id"]
    failed = store(TaskStatus.FAILED, task_type="GENERATE_SCENE")["_id"]
    former = store(task_type="A_FORMER_TYPE")["_id"]
    counted((timedelta(minutes=1), ended(TaskStatus.FAILED, 1, "GENERATE_SCENE", code="stalled")))
    rows = {row.name: row for row in client.get(OVERVIEW).context["types"]}
    assert {"GENERATE_SUMMARY", "GENERATE_SCENE", "BATCH_GENERATE_SUMMARY", "BATCH_GENERATE_SCENE", "A_FORMER_TYPE"} <= set(rows)
    row = rows["GENERATE_SCENE"]
    assert (row.queued, row.running, row.ended, row.failed, row.failed_share) == ("1", "1", "1", "1", "100 %")
    assert listed(client, row.queued_query) == {queued}
    assert listed(client, row.running_query) == {running}
    assert listed(client, row.failed_query) == {failed}
    assert listed(client, rows["A_FORMER_TYPE"].queued_query) == {former}


def test_a_type_that_has_begun_to_fail_stands_out_with_word_and_icon(client: Any) -> None:
    counted(
        (timedelta(minutes=10), ended(TaskStatus.FAILED, 60, "GENERATE_SCENE", code="content_filtered")),
        (timedelta(minutes=10), ended(TaskStatus.COMPLETED, 40, "GENERATE_SCENE")),
        (timedelta(hours=5), ended(TaskStatus.COMPLETED, 900, "GENERATE_SCENE")),
        (timedelta(minutes=10), ended(TaskStatus.COMPLETED, 500)),
    )
    answer = client.get(OVERVIEW)
    assert [row.name for row in answer.context["types"] if row.failing] == ["GENERATE_SCENE"]
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", answer.content.decode())))
    assert "Generate scene is failing: 60 % in the last hour (60 of 100), 0 % in the day before. Mostly content_filtered." in text
    assert '<use href="#status-failed"/></svg>failing</span>' in answer.content.decode()


def test_every_reason_to_wait_is_counted_said_and_leads_to_its_tasks(client: Any, store: Store, worker: Any, settings: Any) -> None:
    worker()
    settings.AINOVAL = settings.AINOVAL.model_copy(update={"tasks_type_limits": {"GENERATE_SCENE": 1}, "tasks_max_running_per_user": 1})
    store(TaskStatus.RUNNING, user="carol", task_type="GENERATE_SCENE")
    tasks = {
        "queued": store(user="alice")["_id"],
        "user_limit": store(user="carol")["_id"],
        "type_limit": store(user="alice", task_type="GENERATE_SCENE")["_id"],
        "unknown_type": store(task_type="A_FORMER_TYPE")["_id"],
        "backoff": store(TaskStatus.RETRYING)["_id"],
    }
    rows = {row.code: row for row in client.get(OVERVIEW).context["reasons"]}
    assert {code: row.count for code, row in rows.items()} == dict.fromkeys(tasks, "1")
    page = client.get(OVERVIEW).content.decode()
    for code, task_id in tasks.items():
        assert listed(client, rows[code].query) == {task_id}
        assert rows[code].text in unescape(page)


def test_without_a_worker_the_page_says_so_at_its_top(client: Any, store: Store, worker: Any) -> None:
    store()
    page = client.get(OVERVIEW).content.decode()
    assert "No worker is running: nothing that is queued will begin." in page
    assert "None has reported within a day" in page
    worker(age=60)
    answer = client.get(OVERVIEW)
    assert [(row.state, row.age) for row in answer.context["workers"]] == [("silent", "1 min 0 s")]


def test_workers_are_shown_with_slots_heartbeat_and_state(client: Any, worker: Any) -> None:
    worker("c", draining=True, running=9)
    worker("b", age=120)
    worker("a", age=2.5, host="host-0")
    rows = client.get(OVERVIEW).context["workers"]
    assert [(row.host, row.pid, row.state, row.running, row.slots) for row in rows] == [
        ("host-0", 4711, "working", 3, 200),
        ("host-1", 4711, "draining", 9, 200),
        ("host-1", 4711, "silent", 3, 200),
    ]
    assert re.fullmatch(r"\d+ s", rows[0].age) and rows[2].age.startswith("2 min")


def test_an_ai_profile_is_ok_limited_or_failing(client: Any, store: Store, worker: Any) -> None:
    def state() -> Any:
        reading._known.clear()
        reading.waits._known.clear()
        [row] = client.get(OVERVIEW).context["providers"]
        return row

    assert (state().name, state().state) == ("default", "unused")
    counted((timedelta(minutes=2), ended(TaskStatus.COMPLETED, 1, resource="ai:default")))

    async def attempts(code: str | None, count: int) -> None:
        tally = Tally(mongo.database())
        for _ in range(count):
            held = await stored.running(mongo.database(), task_type="GENERATE_SUMMARY", resource="ai:default")
            if code is None:
                tally.attempt(held, stored.complete(held))
            else:
                error = stored.ErrorRecord(code, "It broke.", {}, retryable=True)
                tally.attempt(held, stored.lifecycle.fail(held["_id"], stored.record(held), error, progress={}, expire_at=stored.now()))
        await tally.flush()

    mongo.run(attempts(None, 4))
    assert state().state == "ok"
    limited = store(TaskStatus.RETRYING, resource="ai:default")
    until = stored.now() + timedelta(minutes=5)
    mongo.sync_database()[TASKS].update_one({"_id": limited["_id"]}, {"$set": {"wait.code": "provider_limited", "availableAt": until}})
    row = state()
    assert (row.state, row.until) == ("limited", until)
    mongo.run(attempts("provider_unavailable", 9))
    row = state()
    assert (row.state, row.code, row.faults) == ("failing", "provider_unavailable", "69 % of 13 attempts")
    assert "error=provider_unavailable" in row.query


def test_errors_are_listed_by_frequency_with_what_they_mean(client: Any) -> None:
    counted(
        (timedelta(minutes=5), ended(TaskStatus.FAILED, 2, code="timeout")),
        (timedelta(hours=5), ended(TaskStatus.FAILED, 3, "GENERATE_SCENE", code="stalled")),
        (timedelta(hours=30), ended(TaskStatus.FAILED, 9, code="connection")),
    )
    rows = client.get(OVERVIEW).context["errors"]
    assert [(row.code, row.count, row.type) for row in rows] == [("stalled", "3", "Generate scene"), ("timeout", "2", "Generate summary")]
    assert rows[0].text and rows[0].query == "error=stalled&created=%3C24h&children=1"


def test_every_link_of_the_page_leads_somewhere(client: Any, store: Store, worker: Any) -> None:
    worker()
    for status in TaskStatus:
        store(status)
    counted((timedelta(minutes=5), ended(TaskStatus.FAILED, 20, code="timeout")))
    page = client.get(OVERVIEW).content.decode()
    links = {unescape(link) for link in re.findall(r'href="([^"#]+)"', page) if "backgroundtask" in link}
    assert len(links) > 30
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200, link
        assert not (answer.context or {}).get("problems"), link


def test_a_refresh_gives_the_parts_that_take_the_place_of_those_on_the_page(client: Any, store: Store, worker: Any) -> None:
    worker()
    store()
    whole = client.get(f"{OVERVIEW}?range=1h").content.decode()
    parts = client.get(f"{OVERVIEW}?range=1h", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in parts
    swapped = re.findall(r'<\w+ id="([\w-]+)" class="[^"]*" data-revision="(\w+)" hx-swap-oob="true">', parts)
    assert [name for name, _ in swapped] == ["alerts", "cards", "charts", "types", "reasons", "workers", "errors", "providers"]
    for name, revision in swapped:
        assert f'id="{name}"' in whole
        if name not in ("charts", "cards", "workers"):  # what a clock changes
            assert f'data-revision="{revision}"' in whole


@pytest.mark.parametrize("query", ["range=2y", "range=", "type=%00", "type=%3Cscript%3E", "range=1h&type=" + "x" * 3_000, "x=y"])
def test_an_address_that_makes_no_sense_shows_the_overview(query: str, client: Any) -> None:
    assert client.get(f"{OVERVIEW}?{query}").status_code == 200


def test_what_others_have_written_is_shown_inert_and_nothing_is_inline(client: Any, store: Store, worker: Any) -> None:
    bad = "<img src=x onerror=alert(1)>"
    worker("w", host=bad)
    store(task_type=bad)
    counted((timedelta(minutes=1), ended(TaskStatus.FAILED, 30, bad, code=bad)))
    for headers in ({}, {"HX-Request": "true"}):
        answer = client.get(f"{OVERVIEW}?type={bad}", headers=headers)
        page = answer.content.decode()
        assert "<img" not in page and "&lt;img" in page
        names_only = re.sub(r'"[^"]*"', '""', page)  # within quotes it is a value, whatever it looks like
        assert not re.search(r"<[^>]+\s(style|on\w+)=", names_only)
        assert "<script>" not in page
        assert "script-src 'self'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("path", [OVERVIEW, LIST])
def test_a_page_whose_numbers_are_still_being_counted_asks_again_at_once(path: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = client.get(path)
    assert "data-counting" not in answer.content.decode()
    reading._known.clear()
    counting._known.clear()
    monkeypatch.setattr(counting, "PATIENCE_SECONDS", 0.0)
    answer = client.get(path)
    assert "data-counting" in answer.content.decode()


def test_the_overview_needs_the_permission_to_see_tasks(staff: Staff, alice: Any, client: Any) -> None:
    assert staff("cancel").get(OVERVIEW).status_code == 403
    assert staff(user=alice).get(OVERVIEW).status_code == 302  # no staff: to the log-in
    assert client.get(OVERVIEW).status_code == 200


def test_list_task_page_sidebar_and_index_link_to_the_overview(olga: Any, staff: Staff, store: Store) -> None:
    task = store()
    client = staff(user=olga)
    for address in (LIST, f"{LIST}{task['_id']}/", "/admin/", "/admin/tasks_app/"):
        assert f'href="{OVERVIEW}"' in client.get(address).content.decode(), address


def test_who_may_not_see_tasks_sees_no_entry(staff: Staff) -> None:
    assert OVERVIEW not in staff("cancel").get("/admin/").content.decode()


def test_the_page_is_in_chinese_for_those_who_read_it(client: Any, worker: Any) -> None:
    worker()
    counted((timedelta(minutes=10), ended(TaskStatus.FAILED, 60, code="timeout", run_seconds=90.0)))
    page = client.get(OVERVIEW, headers={"accept-language": "zh-hans"}).content.decode()
    for words in ("总览", "生成摘要</strong>正在失败", "最长等待", "任务在等什么", "工作进程", "24 小时", "执行时间", "1.5 分"):
        assert words in page, words


def test_an_old_look_is_used_again_for_two_seconds_and_no_longer(client: Any) -> None:
    counted((timedelta(minutes=1), ended(TaskStatus.COMPLETED, 1)))
    assert client.get(OVERVIEW).context["charts"][0].summary.startswith("1 task")
    counted((timedelta(minutes=1), ended(TaskStatus.COMPLETED, 1)))
    assert client.get(OVERVIEW).context["charts"][0].summary.startswith("1 task")
    for key, (at, known) in reading._known.items():
        reading._known[key] = (at - reading.ENDED_AGE_SECONDS, known)
    assert client.get(OVERVIEW).context["charts"][0].summary.startswith("2 tasks")


def test_the_thresholds_of_failing_are_those_of_the_docs() -> None:
    assert (health.FAILING_COUNT, health.FAILING_SHARE, health.FAILING_FACTOR) == (5, 0.1, 2.0)
    assert (health.PROVIDER_COUNT, health.PROVIDER_SHARE, health.PROVIDER_MINUTES) == (3, 0.5, 15)
    assert list(periods.RANGES) == list(overview_page.RANGE_WORDS)
