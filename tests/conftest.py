"""Fixtures for all tests: a real MongoDB (a server and a database for each process, empty for each test), users, and clients that are logged in."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation
from pymongo.asynchronous.database import AsyncDatabase
from rest_framework.test import APIClient

from ainoval import mongo
from tests.support.databases import shared_database
from tests.support.registered import forget_test_types

Json = dict[str, Any]

# How long is waited for what must come true: a guard against hanging, not a measurement.
PATIENCE = float(os.environ.get("TESTS_PATIENCE", "60"))


def pytest_configure() -> None:
    """A cheap password hash: the real one costs a third of a second for each user."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give Django's own tables to each test that asks for them by `db_access`."""
    for item in items:
        if "db_access" in getattr(item, "fixturenames", ()) and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db)


@pytest.fixture
def database_name() -> Iterator[str]:
    """A database with its indexes that is empty: shared by all tests of this process, emptied after each."""
    with shared_database() as name:
        yield name


@pytest.fixture
async def db(database_name: str) -> AsyncIterator[AsyncDatabase[Json]]:
    """The test's database, on the test's event loop."""
    yield mongo.database()
    await mongo.close()


@pytest.fixture(scope="session", autouse=True)
def _session() -> Iterator[None]:
    forget_test_types()
    yield
    mongo.disconnect()


@pytest.fixture(autouse=True)
def _language() -> None:
    """The default language: a request in another one leaves it behind in its thread."""
    translation.deactivate()


def _user(username: str, **fields: Any) -> Any:
    from ainoval.accounts.models import User

    return User.objects.create_user(username=username, password=f"{username}-has-a-password", **fields)


@pytest.fixture
def alice(db_access: None) -> Any:
    """A writer, who owns things."""
    return _user("alice")


@pytest.fixture
def bob(db_access: None) -> Any:
    """Another writer."""
    return _user("bob")


@pytest.fixture
def olga(db_access: None) -> Any:
    """An operator: staff with all rights."""
    return _user("olga", is_staff=True, is_superuser=True)


@pytest.fixture
def db_access() -> None:
    """Django's own tables, rolled back after the test. Threads of a test's own see them only with `django_db(transaction=True)`."""


@pytest.fixture
def api(database_name: str, db_access: None) -> Callable[[Any], APIClient]:
    """`api(alice)`: a client that sends alice's token; `api(None)`: one that sends none."""

    def client(user: Any) -> APIClient:
        from rest_framework_simplejwt.tokens import RefreshToken

        made = APIClient()
        if user is not None:
            made.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(user).access_token}")
        return made

    return client


async def until(condition: Callable[[], Any], *, seconds: float = PATIENCE, what: str = "the condition") -> Any:
    """Wait until `condition()` (plain or async) is true; return its value. Fails after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    pause = 0.01
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not come true within {seconds} s"
        await asyncio.sleep(pause)
        pause = min(1.3 * pause, 0.1)  # who waits long must not take the processor from what is waited for
