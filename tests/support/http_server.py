"""A real server for tests: uvicorn with this project, in a process of its own, with users who can log in."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import clean_environment

PASSWORD = "a password for tests"

_PREPARE = """
import django; django.setup()
from django.core.management import call_command
from ainoval import indexes
call_command("migrate", verbosity=0)
indexes.ensure_indexes()
"""

MAKE_USERS = f"""
from ainoval.accounts.models import User
for name in ("alice", "bob"):
    User.objects.create_user(name, password="{PASSWORD}")
"""


@dataclass(frozen=True)
class Answer:
    """What came back: raw, because a client library would hide what is wrong with it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """Return the body as an object."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class HttpServer:
    """A running server on a loopback port."""

    port: int
    log: Path
    environment: dict[str, str]

    def exchange(self, data: bytes, *, seconds: float = 90.0) -> Answer:
        """Send these bytes on a fresh connection and return the first answer (status 0: the server closed without one)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
            return read_answer(connection)

    def request(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one well-formed request."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close", **(headers or {})}
        if body and "Transfer-Encoding" not in lines:
            lines.setdefault("Content-Length", str(len(body)))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return self.exchange(head.encode("latin-1") + b"\r\n" + body)

    def log_in(self, username: str) -> dict[str, str]:
        """Return a user's tokens."""
        body = json.dumps({"username": username, "password": PASSWORD}).encode()
        answer = self.request("POST", "/api/auth/token", body, {"Content-Type": "application/json"})
        assert answer.status == 200, answer
        return {name: str(token) for name, token in answer.json().items()}


def read_answer(connection: socket.socket) -> Answer:
    """Read one response up to its Content-Length, or to the end of the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in data:
            chunk = connection.recv(65536)
            if not chunk:
                return Answer(0, {}, data)
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    length = int(headers.get("content-length", "-1"))
    with contextlib.suppress(ConnectionResetError):
        while length < 0 or len(body) < length:
            chunk = connection.recv(65536)
            if not chunk:
                break
            body += chunk
    return Answer(int(first.split()[1]), headers, body)


@contextlib.contextmanager
def running(directory: Path, mongodb_uri: str, database: str, *, processes: int = 1, make_users: str = MAKE_USERS, **settings: str) -> Iterator[HttpServer]:
    """Run the ASGI application with a SQLite file of its own in `directory`, on a MongoDB that runs already.

    Args:
        processes: How many share the port.
        make_users: A program that makes those who can log in.
        settings: Environment, over what a developer gets.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **clean_environment(),
        "AINOVAL_DATA_DIR": str(directory),
        "AINOVAL_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "DJANGO_SECRET_KEY": os.environ["DJANGO_SECRET_KEY"],
        "MONGODB_URI": mongodb_uri,
        "MONGODB_DATABASE": database,
        **settings,
    }
    subprocess.run([sys.executable, "-c", _PREPARE + make_users], env=environment, check=True, timeout=120)
    log = directory / "server.log"
    command = [sys.executable, "-m", "uvicorn", "ainoval.asgi:application", "--port", str(port), "--workers", str(processes)]
    command += ["--log-level", "warning", "--timeout-graceful-shutdown", "2"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_it_answers(port, process, log)
            yield HttpServer(port, log, environment)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_answers(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()}")
