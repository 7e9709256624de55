"""Commands as an operator runs them: `manage.py` in a process of its own, with a terminal, with a pipe, and with MongoDB away."""

import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, load_command_class

from ainoval import mongo
from tasks_app.documents import TASKS
from tasks_app.states import TaskStatus as S
from tests.commands.conftest import Store
from tests.support.cluster import PROJECT_ROOT, environment, manage
from tests.support.tasks import task_document

pytestmark = pytest.mark.timeout(300)

AWAY = {"MONGODB_URI": "mongodb://alice:her-password@127.0.0.1:9/?directConnection=true&serverSelectionTimeoutMS=200"}
OURS = {"DJANGO_SETTINGS_MODULE": "ainoval.settings"}  # without the tests' task types, of which a check complains


@pytest.mark.parametrize(
    "arguments",
    [
        ("cancel_tasks", "--all", "--yes"),
        ("ensure_indexes",),
    ],
)
def test_with_mongodb_away_there_is_one_line_and_exit_code_1(store: Store, arguments: tuple[str, ...]) -> None:
    ended = manage(*arguments, **AWAY)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["CommandError: MongoDB cannot be reached at 127.0.0.1:9. Is it running? MONGODB_URI says where it is."]
    assert ended.stdout == ""


@pytest.mark.parametrize("arguments", [("dev", "--no-demo"), ("demo",)])
def test_dev_and_demo_with_mongodb_away_end_with_one_line(store: Store, arguments: tuple[str, ...]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ended = manage(*arguments, AINOVAL_PORT=str(port), **OURS, **AWAY)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["CommandError: MongoDB cannot be reached at 127.0.0.1:9. Is it running? MONGODB_URI says where it is."]


def test_a_cluster_without_a_server_of_its_own_to_start_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "mongod").touch()
    ended = manage("qcluster", AINOVAL_DATA_DIR=str(tmp_path), **OURS)
    said = "CommandError: The MongoDB data folder cannot be used: File exists. Set AINOVAL_DATA_DIR to a writable folder.\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "dev.lock").mkdir()
    ended = manage("dev", AINOVAL_DATA_DIR=str(tmp_path), **OURS)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"CommandError: {tmp_path}/dev.lock: Is a directory.\n")


def test_a_command_prints_and_exits_with_0(store: Store) -> None:
    store.task(S.FAILED)
    ended = manage("requeue_tasks", "--all", "--yes", AINOVAL_LOG_LEVEL="WARNING")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "Requeued 1 task.\n", "")


def test_a_failure_exits_with_1_and_one_line(store: Store) -> None:
    ended = manage("purge_tasks")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "CommandError: Say which tasks to purge: --id, --type, --status, --user, --older-than, or --all.\n"


def test_without_djangos_tables_the_remedy_is_named(store: Store) -> None:
    ended = manage("cancel_tasks", "--user", "alice", DATABASE_URL="sqlite://:memory:")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["CommandError: Django's database refused: no such table: accounts_user. Has `manage.py migrate` been run?"]


def test_a_reader_that_has_seen_enough_is_no_error(store: Store) -> None:
    mongo.sync_database()[TASKS].insert_many([task_document() for _ in range(500)])
    command = [sys.executable, "manage.py", "list_tasks", "--json", "--limit", "500"]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "[\n"
        process.stdout.close()
        assert process.stderr.read() == ""


def _at_a_terminal(answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run a command on a terminal, type an answer, and return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=PROJECT_ROOT, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    answered = False
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
            if b"[y/N]" in shown and not answered:
                os.write(ours, answer)
                answered = True
    except OSError:
        pass  # the other side is closed: the process has ended
    finally:
        os.close(ours)
    return process.wait(timeout=120), shown.decode()


@pytest.mark.parametrize(
    ("answer", "status", "last"),
    [(b"y\n", "CANCELLED", "Cancelled 1 waiting task at once"), (b"\x04", "QUEUED", "Nothing was changed.")],
)
def test_at_a_terminal_the_command_asks(store: Store, answer: bytes, status: str, last: str) -> None:
    task = store.task()
    code, shown = _at_a_terminal(answer, "cancel_tasks", "--id", task)
    assert code == 0
    assert "About to cancel 1 task (1 QUEUED); the tasks of a batch are cancelled with it." in shown
    assert last in shown
    assert store.status(task) == status


def test_a_cluster_takes_no_name_that_it_could_not_use() -> None:
    command: Any = load_command_class("tasks_app", "qcluster")
    with pytest.raises(CommandError, match="unrecognized arguments: -n another"):
        command.create_parser("manage.py", "qcluster").parse_args(["-n", "another"])


def test_help_of_every_command_has_an_example() -> None:
    commands: dict[str, list[str]] = {
        "tasks_app": [
            "recover_tasks",
            "requeue_tasks",
            "cancel_tasks",
            "purge_tasks",
            "list_tasks",
            "task_stats",
            "ensure_indexes",
            "seed_console",
            "dev",
            "demo",
        ],
        "ainoval.novels": ["import_novel", "export_novel"],
    }
    for app, names in commands.items():
        for name in names:
            command: Any = load_command_class(app, name)
            text = command.create_parser("manage.py", name).format_help()
            assert re.search(rf"example:\n  .*manage.py {name}", text)
