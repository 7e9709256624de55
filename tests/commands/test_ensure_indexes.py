"""`manage.py ensure_indexes`."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management.base import CommandError

from ainoval import index_check, mongo
from tasks_app.documents import TASKS
from tests.commands.conftest import Store
from tests.support.databases import own_database

Run = Callable[..., str]


@pytest.fixture
def database_name() -> Iterator[str]:
    """A database of this test's own: its indexes are changed."""
    with own_database() as name:
        yield name


def test_what_the_project_makes_agrees_with_what_is_declared(run: Run) -> None:
    printed = run("ensure_indexes", "--check")
    assert printed.strip().startswith("All ")
    assert printed.strip().endswith("are in place.")


def _stored_indexes() -> dict[str, dict[str, object]]:
    database = mongo.sync_database()
    made = {name: database[name].index_information() for name in database.list_collection_names()}
    # `background` says how an index was built, and some servers keep it.
    return {
        name: {index: {key: value for key, value in options.items() if key != "background"} for index, options in information.items()}
        for name, information in made.items()
        if len(information) > 1
    }


def test_an_empty_database_gets_all_of_them_and_a_second_run_none(run: Run) -> None:
    made = _stored_indexes()
    for name in mongo.sync_database().list_collection_names():
        mongo.sync_database().drop_collection(name)
    assert run("ensure_indexes").startswith("Created ")
    assert _stored_indexes() == made
    assert run("ensure_indexes").startswith("No index was missing.")


def test_check_finds_a_missing_one_and_creates_nothing(run: Run) -> None:
    tasks = mongo.sync_database()[TASKS]
    tasks.drop_index("family")
    with pytest.raises(CommandError, match="The indexes of background_tasks differ"):
        run("ensure_indexes", "--check")
    assert "family" not in tasks.index_information()
    run("ensure_indexes")
    assert tasks.index_information()["family"]["partialFilterExpression"] == {"parentId": {"$gt": ""}}


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ([("expireAt", 1)], {"expireAfterSeconds": 60}),
        ([("expireAt", 1)], {}),
        ([("expireAt", -1)], {"expireAfterSeconds": 0}),
        ([("expireAt", 1), ("_id", 1)], {"sparse": True}),
    ],
)
def test_an_index_that_does_something_else_is_a_failure_with_and_without_check(run: Run, keys: list[tuple[str, int]], options: dict[str, Any]) -> None:
    tasks = mongo.sync_database()[TASKS]
    tasks.drop_index("expiry")
    tasks.create_index(keys, name="expiry", **options)
    before = tasks.index_information()
    for arguments in (["--check"], []):
        with pytest.raises(CommandError, match="differ from the declared ones"):
            run("ensure_indexes", *arguments)
    assert tasks.index_information() == before


def test_an_extra_index_is_reported_and_fails_only_the_check(run: Run) -> None:
    mongo.sync_database()[TASKS].create_index([("priority", 1)], name="mine")
    assert "extra      background_tasks.mine (priority 1)" in run("ensure_indexes")
    with pytest.raises(CommandError):
        run("ensure_indexes", "--check")
    assert "mine" in mongo.sync_database()[TASKS].index_information()


def test_an_index_of_an_earlier_version_can_be_dropped_and_is_made_anew(run: Run) -> None:
    tasks = mongo.sync_database()[TASKS]
    tasks.drop_index("active")
    tasks.create_index([("status", 1), ("lease.owner", 1), ("availableAt", 1)], name="active")
    assert index_check.drop_different(mongo.sync_database()) == [f"{TASKS}.active"]
    assert index_check.drop_different(mongo.sync_database()) == []
    run("ensure_indexes")
    assert list(tasks.index_information()["active"]["key"])[:3] == [("status", 1), ("lease.owner", 1), ("lease.expiresAt", 1)]


@pytest.mark.parametrize("arguments", [("list_tasks",), ("cancel_tasks", "--all", "--dry-run"), ("task_stats",), ("recover_tasks",)])
def test_a_command_that_lacks_an_index_names_the_remedy(run: Run, store: Store, arguments: tuple[str, ...]) -> None:
    store.task()
    mongo.sync_database()[TASKS].drop_indexes()
    with pytest.raises(CommandError, match=r"MongoDB lacks an index that tasks are searched by\. Run `manage.py ensure_indexes`\."):
        run(*arguments)
