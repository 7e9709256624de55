"""Whatever is stored is shown inert, and the pages allow no script of their own making; without MongoDB they say so."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.utils.html import escape
from pydantic import SecretStr

from ainoval import mongo
from ainoval.novels.documents import NOVELS, SCENES
from tasks_app.documents import BULK_ACTIONS, TASKS
from tasks_app.states import TaskStatus
from tests.console.conftest import LIST, Json, Staff, Store, page_of

pytestmark = pytest.mark.django_db

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</pre></script><script>alert(1)</script>",
    "{{ 7|add:7 }}{% debug %}",
    "javascript:alert(1)",
    "&lt;b&gt;",
]
HTML = ("<script>alert(1)", "<img src=x", "<svg onload", '"><img', "'><svg")


def everywhere(task_id: str, payload: str) -> Json:
    """Fields of a task with the payload in each that users, an AI or an error can write."""
    moment = {"startedAt": None, "endedAt": None}
    return {
        "userId": payload,
        "taskType": payload,
        "parameters": {"sceneId": payload, "novelId": payload, payload: payload, "instructions": payload},
        "progress": {"percentage": payload, "message": payload, "current": payload, "total": payload},
        "result": {"summary": payload, payload: [payload]},
        "draft": {"text": payload},
        "errorInfo": {"code": payload, "message": payload, "details": {payload: payload}, "retryable": True, "retryCount": 0},
        "attempts": [
            {
                **moment,
                "attempt": 1,
                "token": "t",
                "outcome": payload,
                "worker": payload,
                "error": {"code": payload, "message": payload, "traceback": payload},
                "usage": {"promptTokens": payload, "completionTokens": payload},
            }
        ],
        "lease": {"owner": payload, "token": payload},
        "parentId": payload,
        "usage": {"promptTokens": payload, "completionTokens": payload},
    }


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_stored_is_shown_inert(payload: str, olga: Any, staff: Staff, store: Store) -> None:
    client = staff(user=olga)
    task = store(TaskStatus.RUNNING)
    fields = everywhere(task["_id"], payload)
    for moment in ("startedAt", "endedAt"):
        fields["attempts"][0][moment] = task["startedAt"]
    fields["lease"]["expiresAt"] = task["lease"]["expiresAt"]
    database = mongo.sync_database()
    database[TASKS].update_one({"_id": task["_id"]}, {"$set": fields})
    child = store(TaskStatus.FAILED, parent_id=task["_id"], parameters={"sceneId": payload})
    database[TASKS].update_one({"_id": child["_id"]}, {"$set": {"errorInfo.code": payload}})
    database[SCENES].insert_one({"_id": payload, "novelId": payload, "title": payload, "sequence": 1})
    database[NOVELS].insert_one({"_id": payload, "title": payload})
    # Filters that echo what was typed, and an audit line with a reason.
    client.post(page_of(task, "delete"), {"reason": payload})
    pages = [
        client.get(LIST, {"children": "1"}),
        client.get(LIST, {"user": payload, "type": payload, "parent": payload}),
        client.get(page_of(task)),
        client.get(f"{LIST}x{payload.replace('/', '')}/"),
        client.post(f"{LIST}selected/", {"action": "cancel", "task": [task["_id"]], "state": f"user={payload}"}),
        client.get("/admin/"),
    ]
    assert [page.status_code for page in pages] == [200, 200, 200, 404, 200, 200]
    for page in pages:
        text = page.content.decode()
        assert not [html for html in HTML if html in text]
        assert 'href="javascript:' not in text
    if payload == PAYLOADS[0]:
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[2].content.decode()
    if payload == PAYLOADS[4]:
        assert "{{ 7|add:7 }}" in pages[2].content.decode()


def test_pages_have_a_strict_content_security_policy_and_nothing_inline(olga: Any, staff: Staff, store: Store) -> None:
    client = staff(user=olga)
    task = store(TaskStatus.FAILED)
    pages = [
        client.get(LIST),
        client.get(page_of(task)),
        client.get(f"{LIST}nothing/"),
        client.post(f"{LIST}selected/", {"action": "delete", "task": [task["_id"]]}),
    ]
    for page in pages:
        policy = page["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "style-src 'self';" in policy
        assert "unsafe" not in policy
        text = page.content.decode()
        assert "<style" not in text and " style=" not in text
        assert "<script>" not in text and " onclick=" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text.replace("https://docs.djangoproject.com", "")


@pytest.fixture
def without_mongodb(database_name: str, settings: Any) -> Iterator[None]:
    """A configuration whose MongoDB is not there; afterwards the real one again."""
    known, real = mongo.uri(), django_settings.AINOVAL

    def connect_to(uri: str) -> None:
        mongo.disconnect()
        mongo.uri.cache_clear()
        settings.AINOVAL = real.model_copy(update={"mongodb_uri": SecretStr(uri)})
        assert mongo.uri() == uri

    connect_to("mongodb://127.0.0.1:9/?directConnection=true&serverSelectionTimeoutMS=300")
    yield
    connect_to(known)
    settings.AINOVAL = real


def test_without_mongodb_every_page_is_a_503_that_says_so(olga: Any, staff: Staff, without_mongodb: None) -> None:
    client = staff(user=olga)
    for answer in (client.get(LIST), client.post(f"{LIST}{'f' * 24}/cancel/")):
        assert answer.status_code == 503
        assert answer["Retry-After"] == "5"
        assert "Content-Security-Policy" in answer
        page = answer.content.decode()
        assert "MongoDB, where the tasks are stored, does not answer." in page and 'id="site-name"' in page
    assert client.get("/admin/").status_code == 200


def test_to_try_again_is_to_ask_for_the_same_page(olga: Any, staff: Staff, without_mongodb: None) -> None:
    client = staff(user=olga)
    for address in (f"{LIST}?status=FAILED&user=olga", f"{LIST}overview/?range=7d", f"{LIST}{'f' * 24}/"):
        assert f'<a href="{escape(address)}">Try again</a>' in client.get(address).content.decode()
    # What was to be done is not done by a link: its address leads to the task.
    acted = f"{LIST}{'f' * 24}/cancel/"
    assert f'<a href="{acted}">Try again</a>' in client.post(acted).content.decode()


@pytest.fixture
def locked_database(transactional_db: None) -> Iterator[None]:
    """Another writer holds Django's own database. Of one in memory, as here, SQLite refuses the lock at once: nobody waits 20 s."""
    writer = sqlite3.connect(connection.settings_dict["NAME"], uri=True, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    yield
    writer.execute("ROLLBACK")
    writer.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("debug", [False, True])
def test_a_locked_user_database_is_a_503_that_says_so(olga: Any, locked_database: None, settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    address = "/admin/login/?next=/admin/accounts/"
    answer = Client().post(address, {"username": "olga", "password": "olga-has-a-password"}, headers={"Accept-Language": "zh-hans"})
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    page = answer.content.decode()
    assert "用户与会话数据库正忙或没有响应。" in page and f'href="{address}"' in page and 'id="site-name"' in page
    assert "locked" not in page and "Traceback" not in page


@pytest.mark.django_db(transaction=True)
def test_an_action_that_cannot_be_recorded_is_not_done(olga: Any, staff: Staff, store: Store, request: pytest.FixtureRequest) -> None:
    client, task = staff(user=olga), store(TaskStatus.QUEUED)
    request.getfixturevalue("locked_database")
    answer = client.post(page_of(task, "cancel"))
    assert answer.status_code == 503 and "look before you ask again" in answer.content.decode()
    assert mongo.sync_database()[TASKS].find_one({"_id": task["_id"]}) == task


@pytest.mark.django_db(transaction=True)
def test_an_action_on_all_that_match_that_cannot_be_recorded_is_not_stored(olga: Any, staff: Staff, store: Store, request: pytest.FixtureRequest) -> None:
    client = staff(user=olga)
    store(TaskStatus.QUEUED)
    request.getfixturevalue("locked_database")
    answer = client.post(f"{LIST}selected/", {"action": "cancel", "all": "1", "state": "", "confirmed": "yes", "reason": "flooded"})
    assert answer.status_code == 503
    # Once it is stored, whoever opens its page hands it to the workers.
    assert mongo.sync_database()[BULK_ACTIONS].count_documents({}) == 0
