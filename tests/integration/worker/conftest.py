"""A shared database that is empty for each test, and the tests' own task types, registered for these tests only."""

from collections.abc import Iterator

import pytest

from tests.support.registered import registered_test_types
from tests.support.shared_database import shared_database


@pytest.fixture(autouse=True)
def test_types() -> Iterator[None]:
    """TEST_NOOP and its like."""
    with registered_test_types():
        yield


@pytest.fixture
def database_name() -> Iterator[str]:
    """Instead of a database of the test's own."""
    with shared_database() as name:
        yield name
