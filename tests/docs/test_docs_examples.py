"""The examples of the pages, done as a reader would: on a copy of the project, with its own workers, server and shell."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page, page
from tests.support.development import development
from tests.support.environment import clean_environment

pytestmark = pytest.mark.timeout(300)

PARTS = ("ainoval", "tasks_app", "templates", "locale", "tests", "manage.py", "pyproject.toml")
PATH_ABOVE = re.compile(r"`((?:tasks_app|tests)/[\w/]+\.py)`")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project that a test may add files to."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def environment(**settings: str) -> dict[str, str]:
    """The environment of somebody who has set nothing."""
    mine = {name: value for name, value in clean_environment().items() if name not in ("DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS", "PYTHONPATH")}
    return mine | settings


def put_files(folder: Path, source: Page) -> list[str]:
    """Store each block of Python under the path that the line above it names; return the paths."""
    stored = []
    for block in source.blocks:
        path = PATH_ABOVE.search(block.before)
        if block.language == "python" and path:
            (folder / path[1]).write_text(block.text, "utf-8")
            stored.append(path[1])
    return stored


def test_the_example_of_adding_a_task_type_passes_its_own_test(copy: Path) -> None:
    stored = put_files(copy, page("docs/adding-a-task-type.md"))
    assert stored == ["tasks_app/executables/count_words.py", "tests/acceptance/test_count_words.py"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", stored[1]]
    done = subprocess.run(command, cwd=copy, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_example_of_the_readme_works_as_it_is_printed(copy: Path) -> None:
    readme = page("README.md")
    assert put_files(copy, readme) == ["tasks_app/executables/count_words.py"]
    submit, watch = (block.text for block in readme.blocks if block.language == "sh" and "curl" in block.text)
    # What is not printed: waiting for the end, and doing it elsewhere than on port 8000.
    wait = 'for turn in $(seq 500); do case "$(curl -s $URL/api/tasks/$TASK -H "Authorization: Bearer $TOKEN")" in *\'"completedAt":"2\'*) break;; esac; sleep 0.2; done\n'
    with development_server(copy) as url:
        script = submit.replace("http://127.0.0.1:8000", url) + wait + watch
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=copy, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert '"status":"COMPLETED"' in done.stdout
    counts = re.search(r'"result":\{"wordCount":(\d+),"sceneCount":(\d+)\}', done.stdout)
    assert counts is not None, done.stdout
    assert int(counts[1]) > int(counts[2]) > 1


def test_the_task_type_of_the_readme_is_that_of_the_page_about_it() -> None:
    first, second = (next(block.text for block in page(name).blocks if block.language == "python") for name in ("README.md", "docs/adding-a-task-type.md"))
    assert first == second


@contextmanager
def development_server(folder: Path) -> Iterator[str]:
    """`make run` without the environment it makes and the demonstration: yield where the server is, and stop it all with Ctrl-C."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = environment(AINOVAL_PORT=str(port), TASKS_WORKERS="1")
    with development("--no-demo", folder=folder, env=env, log=folder / "dev.log"):
        yield f"http://127.0.0.1:{port}"
