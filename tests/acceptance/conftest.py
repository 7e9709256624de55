"""Fixtures of the acceptance tests: real clusters, real kills."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, manage
from tests.support.databases import own_database
from tests.support.registered import registered_test_types


@pytest.fixture(autouse=True)
def test_types() -> Iterator[None]:
    """TEST_NOOP and its like, in this process too: it submits them."""
    with registered_test_types():
        yield


@pytest.fixture
def database_name() -> Iterator[str]:
    """A database of this test's own: nothing that a killed process had sent can reach the next test."""
    with own_database() as name:
        yield name


@pytest.fixture(scope="session")
def _migrated() -> None:
    """Django's own tables, in the file that the processes share."""
    from ainoval import mongo

    mongo.uri()
    done = manage("migrate", "--verbosity", "0")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def cluster(database_name: str, _migrated: None, tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """`cluster(TASKS_WORKERS="1", …)` starts one; all are stopped afterwards."""
    started: list[Cluster] = []
    with ExitStack() as stack:

        def start(**settings: str) -> Cluster:
            started.append(stack.enter_context(Cluster(tmp_path / f"cluster-{len(list(tmp_path.iterdir()))}.log", **settings)))
            return started[-1]

        yield start
    for one in started:  # shown with a test that failed
        print(f"--- the end of {one.log.name}:\n{one.tail()}")
