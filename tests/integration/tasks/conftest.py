"""The tests' own task types, registered for these tests only."""

from collections.abc import Iterator

import pytest

from tests.support.registered import registered_test_types


@pytest.fixture(autouse=True)
def test_types() -> Iterator[None]:
    """TEST_NOOP and its like."""
    with registered_test_types():
        yield
