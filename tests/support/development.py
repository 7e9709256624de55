"""`manage.py dev` as a process, for as long as a test needs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def development(*options: str, folder: Path, env: Mapping[str, str], log: Path) -> Iterator[None]:
    """Start it in a folder, wait until it is ready, and stop it with Ctrl-C, which must end it well."""
    with log.open("wb") as output:
        command = [sys.executable, "manage.py", "dev", *options]
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while "Ready:" not in log.read_text("utf-8"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(100)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, log.read_text("utf-8")
