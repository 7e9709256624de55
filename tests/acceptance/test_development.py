"""`manage.py dev` as a developer has it, and `manage.py demo` beside it: what becomes of a mistake, and of a MongoDB that is killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ainoval.mongod import running_pid
from tests.support.cluster import PROJECT_ROOT
from tests.support.development import development as running
from tests.support.environment import clean_environment

pytestmark = pytest.mark.timeout(300)

PASSWORD = "a password for tests"


@dataclass(frozen=True)
class Development:
    """A running `manage.py dev`."""

    folder: Path
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment() | {"AINOVAL_DATA_DIR": str(self.folder), "AINOVAL_PORT": str(self.port), "TASKS_WORKERS": "1"}


def wait(true: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, log.read_text("utf-8")
        time.sleep(0.1)


@pytest.fixture(scope="module")
def development(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Development]:
    """Everything in one terminal, without the demonstration."""
    folder = tmp_path_factory.mktemp("development")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    here = Development(folder / "var", port, folder / "dev.log")
    with running("--no-demo", "--demo-password", PASSWORD, folder=PROJECT_ROOT, env=here.environment, log=here.log):
        yield here


def test_a_mongodb_that_is_killed_is_started_again_where_it_was(development: Development) -> None:
    killed = running_pid(development.folder)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait(lambda: "MongoDB had ended, and was started again." in development.log.read_text("utf-8"), development.log)
    assert running_pid(development.folder) not in (None, killed)
    wait(lambda: httpx.get(f"{development.url}/health/ready", trust_env=False, timeout=30).status_code == 200, development.log)


def test_a_login_that_the_running_server_refuses_is_said_at_once(development: Development) -> None:
    command = [sys.executable, "manage.py", "demo", "--username", "demo", "--password", "wrong"]
    ended = subprocess.run(command, cwd=PROJECT_ROOT, env=development.environment, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("CommandError: ")
    assert "[POST /api/auth/token: 401 invalid_credentials]" in line
    assert not (development.folder / "logs" / "demo-server.log").exists()
