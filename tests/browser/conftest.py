"""The console in a real browser: Chromium, driven by Playwright, before a real server, and real workers where a test starts them.

Not part of `make test`: `make browser` runs these. Without Chromium they are skipped.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from ainoval import indexes, mongo
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.browser.visitor import CHROMIUM, LIST, Visitor
from tests.support import http_server, stored
from tests.support.cluster import Cluster
from tests.support.registered import registered_test_types

Json = dict[str, Any]
Open = Callable[..., Visitor]

PERMISSIONS = ("view", "cancel", "requeue", "apply", "delete", "view_text")
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.settings"}

# Writers alice and bob; olga, who may do everything; and staff who may see tasks and one thing more: `may-cancel`.
MAKE_USERS = f"""
{http_server.MAKE_USERS}
from django.contrib.auth.models import Permission
User.objects.create_superuser("olga", password="{http_server.PASSWORD}")
for name in {PERMISSIONS}:
    user = User.objects.create_user("may-" + name.replace("_", "-"), password="{http_server.PASSWORD}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"view_backgroundtask", f"{{name}}_backgroundtask"]))
import json, sys
json.dump({{user.username: str(user.pk) for user in User.objects.all()}}, open(sys.argv[1], "w"))
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser, a server and workers on a busy machine: more time than the other tests have."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(autouse=True)
def test_types() -> Iterator[None]:
    """TEST_NOOP and its like, in this process too: it submits them."""
    with registered_test_types():
        yield


@pytest.fixture(scope="session")
def _database() -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    mongo.use_database(name)
    indexes.ensure_indexes()
    mongo.use_database(None)
    yield name
    mongo.sync_database().client.drop_database(name)


@pytest.fixture(scope="session")
def _server(_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[http_server.HttpServer, Path]]:
    folder = tmp_path_factory.mktemp("server")
    users = MAKE_USERS.replace("sys.argv[1]", repr(str(folder / "users.json")))
    with http_server.running(folder, mongo.uri(), _database, make_users=users, **SETTINGS) as server:
        yield server, folder


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: install it (on Debian `apt-get install chromium`)")
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def _sessions() -> dict[str, Any]:
    return {}


@pytest.fixture
def database_name(_database: str) -> Iterator[str]:
    """The database of all browser tests, emptied after each."""
    mongo.use_database(_database)
    yield _database
    database = mongo.sync_database()
    for collection in database.list_collection_names(filter={"name": {"$not": {"$regex": "^system"}}}):
        database[collection].delete_many({})
    mongo.use_database(None)


@pytest.fixture
def users(_server: tuple[http_server.HttpServer, Path]) -> dict[str, str]:
    """The ids of the users by name."""
    import json

    return dict(json.loads((_server[1] / "users.json").read_text()))


@pytest.fixture
def visit(_chromium: Any, _server: tuple[http_server.HttpServer, Path], _sessions: dict[str, Any], database_name: str) -> Iterator[Open]:
    """`visit("olga")`: her browser, logged in. At the end nothing may have gone wrong in any of them: no script error, nothing that the policy refused."""
    base = f"http://127.0.0.1:{_server[0].port}"
    opened: list[Visitor] = []

    def visit(username: str = "olga", **options: Any) -> Visitor:
        if username not in _sessions:
            with Visitor.browsing(_chromium, base) as stranger:
                stranger.log_in(username, http_server.PASSWORD)
                _sessions[username] = stranger.context.storage_state()
        visitor = Visitor(_chromium.new_context(base_url=base, storage_state=_sessions[username], **({"viewport": {"width": 1400, "height": 900}} | options)))
        opened.append(visitor)
        return visitor

    yield visit
    for visitor in opened:
        visitor.context.close()
    assert [problem for visitor in opened for problem in visitor.problems] == []


@pytest.fixture
def store(database_name: str) -> Callable[..., Json]:
    """`store(TaskStatus.FAILED, **fields)`: a stored task in that state, which real workers leave alone: its lease is long, or it is not due yet."""

    def make(status: TaskStatus = TaskStatus.QUEUED, **fields: Any) -> Json:
        fields.setdefault("task_type", "GENERATE_SUMMARY")

        async def stored_task() -> Json:
            return await stored.in_state(mongo.database(), status, **fields)

        task = mongo.run(stored_task())
        later = stored.now() + stored.timedelta(hours=1)
        changes = {"availableAt": later} if status in (TaskStatus.QUEUED, TaskStatus.RETRYING) else {"lease.expiresAt": later} if "lease" in task else {}
        if changes:
            mongo.sync_database()[TASKS].update_one({"_id": task["_id"]}, {"$set": changes})
        return task

    return make


@pytest.fixture
def many(database_name: str) -> Callable[..., list[str]]:
    """`many(300)`: the ids of queued tasks that are not due yet."""

    def make(count: int, **fields: Any) -> list[str]:
        later = stored.now() + stored.timedelta(hours=1)
        tasks = [stored.task(**({"task_type": "GENERATE_SUMMARY", "availableAt": later} | fields)) for _ in range(count)]
        mongo.sync_database()[TASKS].insert_many(tasks)
        return [task["_id"] for task in tasks]

    return make


@pytest.fixture
def workers(database_name: str, _server: tuple[http_server.HttpServer, Path], tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """`workers()` starts a cluster with one worker, on the server's own tables."""
    with ExitStack() as stack:

        def start(**settings: str) -> Cluster:
            own = {"TASKS_WORKERS": "1", "AINOVAL_DATA_DIR": str(_server[1]), "MONGODB_URI": mongo.uri()}
            return stack.enter_context(Cluster(tmp_path / "cluster.log", **own | settings))

        yield start


def page_of(task: Json | str, action: str = "") -> str:
    """Return the address of a task's page, or of an action on it."""
    return f"{LIST}{task if isinstance(task, str) else task['_id']}/" + (f"{action}/" if action else "")
