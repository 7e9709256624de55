"""Fixtures of the commands' tests: a command is run as `manage.py` would, and what it printed is returned."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import call_command

from ainoval import mongo
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus
from tests.support.tasks import stored_batch, stored_task

Json = dict[str, Any]


@pytest.fixture
def run(database_name: str, db_access: None) -> Callable[..., str]:
    """`run("cancel_tasks", "--all", "--yes")`: what the command printed; its failure is a CommandError."""

    def call(name: str, *arguments: str) -> str:
        printed = io.StringIO()
        call_command(name, *arguments, stdout=printed, stderr=printed)
        return printed.getvalue()

    return call


@pytest.fixture
def run_json(run: Callable[..., str]) -> Callable[..., Any]:
    """The same with `--json`, parsed."""
    return lambda name, *arguments: json.loads(run(name, *arguments, "--json"))


@dataclass(frozen=True, slots=True)
class Store:
    """The test's tasks, for tests that are not async."""

    name: str

    def task(self, status: TaskStatus = TaskStatus.QUEUED, **fields: Any) -> str:
        """Store a task in a state; return its id."""

        async def store() -> Json:
            return await stored_task(mongo.database(), status=status, **fields)

        return str(mongo.run(store())["_id"])

    def batch(self, children: Sequence[TaskStatus], **fields: Any) -> tuple[str, list[str]]:
        """Store a batch with its children; return their ids."""

        async def store() -> tuple[Json, list[Json]]:
            return await stored_batch(mongo.database(), children, **fields)

        parent, stored = mongo.run(store())
        return parent["_id"], [child["_id"] for child in stored]

    def get(self, task_id: str) -> Json:
        """Return a task's document."""
        document = mongo.sync_database()[TASKS].find_one({"_id": task_id})
        assert document is not None, f"{task_id} is gone"
        return document

    def status(self, task_id: str) -> str:
        """Return a task's status."""
        return str(self.get(task_id)["status"])

    def all(self) -> dict[str, Json]:
        """Return every task, by id."""
        return {document["_id"]: document for document in mongo.sync_database()[TASKS].find()}


@pytest.fixture
def store(database_name: str) -> Store:
    """What is stored."""
    return Store(database_name)
