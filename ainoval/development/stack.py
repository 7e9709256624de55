"""The server and the workers, as far as this command started them."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from django.conf import settings

from ainoval.development.child import Child
from ainoval.development.child_log import LogReader

READY_SECONDS = 60.0
STOP_RESERVE_SECONDS = 2.0
DRAIN_SECONDS = 5  # uvicorn's own patience with open requests
POLL_SECONDS = 0.05
LAST_LINES = 12


class ChildDied(Exception):
    """A child ended that nobody had told to."""

    def __init__(self, child: Child, last_lines: list[str]) -> None:
        super().__init__(f"{child.name.capitalize()}: the process {child.ending}, and nobody had told it to.")
        self.child = child
        self.last_lines = last_lines


def local_url(port: int) -> str:
    """Return the address of a server of ours."""
    return f"http://127.0.0.1:{port}"


def ready_checks(url: str, *, local: bool = True) -> dict[str, object] | None:
    """Return what `/health/ready` says of databases and workers; None when no server of this kind is ready there.

    Args:
        local: On this machine: no proxy is asked.
    """
    try:
        answer = httpx.get(f"{url}/health/ready", timeout=5, trust_env=not local)
        checks = answer.json()["checks"] if answer.status_code == 200 else None
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return checks if isinstance(checks, dict) else None


class Stack:
    """Starts, watches and stops children.

    Args:
        data_dir: The project's data; their logs go into `logs` in it.
        complain: Is called with a child's name and each of its warnings and errors.
        prefix: Of the log files' names, for commands that may run side by side.
    """

    def __init__(self, data_dir: Path, complain: Callable[[str, str], None], *, prefix: str = "") -> None:
        self.children: list[Child] = []
        self._data_dir = data_dir
        self._complain = complain
        self._prefix = prefix
        self._readers: list[tuple[Child, LogReader]] = []

    def start_server(self, port: int) -> None:
        """Start uvicorn, to listen on this port of the loopback interface."""
        options = ("--host", "127.0.0.1", "--port", str(port), "--timeout-graceful-shutdown", str(DRAIN_SECONDS), "--no-access-log")
        self._start("server", ["-m", "uvicorn", "--app-dir", str(settings.BASE_DIR), *options, "ainoval.asgi:application"])

    def start_workers(self) -> None:
        """Start the worker cluster."""
        self._start("workers", [str(settings.BASE_DIR / "manage.py"), "qcluster"])

    def wait_ready(self, url: str) -> None:
        """Wait until the server there answers, both databases with it.

        Raises:
            ChildDied: It ended instead.
            TimeoutError: It is not ready within a minute.
        """
        deadline = time.monotonic() + READY_SECONDS
        while ready_checks(url) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"The server was not ready within {READY_SECONDS:.0f} s: see its log.")
            self.check()
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Pass on what the children complain of, and see that they live; call it often.

        Raises:
            ChildDied: One has ended.
        """
        self._relay()
        for child, reader in self._readers:
            if child.ending:
                raise ChildDied(child, reader.tail(LAST_LINES))

    def stop(self, hurry: Callable[[], bool] = lambda: False, waiting: Callable[[float], None] = lambda seconds: None) -> None:
        """Ask all children to stop, give them the workers' grace, and end what is left then.

        Args:
            hurry: When it becomes true, nothing is waited for.
            waiting: Is called once with the longest time it may take, if it takes more than a moment.
        """
        for child in self.children:
            child.terminate()
        patience = settings.AINOVAL.tasks_shutdown_grace + STOP_RESERVE_SECONDS
        begun, told = time.monotonic(), False
        while not all(child.is_gone for child in self.children):
            elapsed = time.monotonic() - begun
            if elapsed > patience or hurry():
                break
            if elapsed > 1 and not told:
                told = True
                waiting(patience)
            time.sleep(POLL_SECONDS)
        for child in self.children:
            if not child.is_gone:
                child.kill()
        self._relay()
        self.children.clear()
        self._readers.clear()

    def _relay(self) -> None:
        for child, reader in self._readers:
            for complaint in reader.complaints():
                self._complain(child.name, complaint)

    def _start(self, name: str, arguments: list[str]) -> None:
        environment = os.environ | {
            "AINOVAL_DATA_DIR": str(self._data_dir),
            "DJANGO_SETTINGS_MODULE": "ainoval.settings",
            "PYTHONUNBUFFERED": "1",
        }
        log = self._data_dir / "logs" / f"{self._prefix}{name}.log"
        child = Child(name, [sys.executable, *arguments], log, environment)
        self.children.append(child)
        self._readers.append((child, LogReader(log, child.log_start)))
