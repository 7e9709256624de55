"""Fixtures of the console tests: staff with exactly the permissions that a test names, and stored tasks."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from ainoval import mongo
from ainoval.ids import new_id
from ainoval.novels.documents import NOVELS, SCENES
from tasks_app import waits
from tasks_app.admin import counting
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.support import stored

Json = dict[str, Any]
Staff = Callable[..., Client]
Store = Callable[..., Json]

LIST = "/admin/tasks_app/backgroundtask/"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are waited for, however busy the machine is."""
    monkeypatch.setattr(counting, "PATIENCE_SECONDS", 20.0)
    monkeypatch.setattr(waits, "PATIENCE_SECONDS", 20.0)
    monkeypatch.setattr(waits, "FIRST_PATIENCE_SECONDS", 20.0)


@pytest.fixture
def staff(db_access: None) -> Staff:
    """`staff("view", "cancel")`: the browser of a member of staff with these permissions; `staff(user=olga)`: of that user."""

    def client(*permissions: str, user: Any = None) -> Client:
        from ainoval.accounts.models import User

        if user is None:
            user = User.objects.create(username="olga-" + "-".join(permissions), is_staff=True)
            codenames = [f"{name}_backgroundtask" for name in permissions]
            user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="tasks_app"))
            assert user.user_permissions.count() == len(permissions)
        made = Client()
        made.force_login(user)
        return made

    return client


@pytest.fixture
def store(database_name: str) -> Store:
    """`store(TaskStatus.FAILED, **fields)`: a stored task, taken to that state by the core's own transitions."""

    def make(status: TaskStatus = TaskStatus.QUEUED, **fields: Any) -> Json:
        fields.setdefault("task_type", "GENERATE_SUMMARY")

        async def stored_task() -> Json:
            return await stored.in_state(mongo.database(), status, **fields)

        return mongo.run(stored_task())

    return make


@pytest.fixture
def applicable(store: Store) -> Callable[[Any], Json]:
    """`applicable(alice)`: a completed task of hers whose summary is not in the scene yet (`parameters.sceneId`)."""

    def make(owner: Any) -> Json:
        novel, scene, now = new_id(), new_id(), stored.now()
        database = mongo.sync_database()
        database[NOVELS].insert_one({"_id": novel, "author": str(owner.pk), "title": "The Long Rain", "acts": [], "createdAt": now, "updatedAt": now})
        texts = {"title": "", "content": "It rained.", "summary": "", "wordCount": 2, "version": 1, "history": []}
        database[SCENES].insert_one({"_id": scene, "novelId": novel, "chapterId": "c", "sequence": 1, **texts, "createdAt": now, "updatedAt": now})
        result = {"sceneId": scene, "summary": "Rain.", "sceneVersion": 1, "applied": False, "conflict": False, "skipped": False, "provider": "p", "model": "m"}
        task = store(TaskStatus.COMPLETED, user=str(owner.pk), parameters={"sceneId": scene})
        database[TASKS].update_one({"_id": task["_id"]}, {"$set": {"result": result}})
        return task | {"result": result}

    return make


@pytest.fixture
def read(database_name: str) -> Callable[[str], Json | None]:
    """`read(task_id)`: the task as it is stored now."""

    def find(task_id: str) -> Json | None:
        return mongo.sync_database()[TASKS].find_one({"_id": task_id})

    return find


def page_of(task: Json, action: str = "") -> str:
    """Return the address of a task's page, or of an action on it."""
    return f"{LIST}{task['_id']}/" + (f"{action}/" if action else "")
