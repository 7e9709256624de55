"""What a comparison ran on: the machine and the versions of everything that took part."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import servers
from benchmarks.peers.runs import ENVIRONMENTS

OF_OURS = ("Django", "djangorestframework", "django-q2", "pymongo", "pydantic", "uvicorn", "uvloop")
OF_PEERS = ("celery", "dramatiq", "taskiq", "taskiq-redis", "arq", "huey", "django-q2", "procrastinate", "redis", "gevent", "uvloop", "pymongo", "psycopg")


def described() -> str:
    """Return the machine in a line."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    kib = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    memory = f"{int(kib[1]) / 1024 / 1024:.0f} GiB" if kib else "unknown"
    return f"{len(os.sched_getaffinity(0))} cores ({cpu[1].strip() if cpu else platform.machine()}), {memory} memory, Linux {platform.release()}"


def versions() -> list[tuple[str, str]]:
    """Return name and version of every program and package that matters."""
    from ainoval import mongod

    found = [("Python", platform.python_version()), ("MongoDB", _program(str(mongod.find_binary())))]
    if program := servers.redis_program():
        found.append(("Redis", _program(program)))
    if programs := servers.postgres_programs():
        found.append(("PostgreSQL", _program(str(programs / "postgres"))))
    return [*found, *(("ours: " + name, version(name)) for name in OF_OURS if _installed(name)), *_of_peers()]


def _of_peers() -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for environment in ("arq", "main"):
        python = ENVIRONMENTS / environment / "bin" / "python"
        if python.exists():
            listed = json.loads(_output([str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]))
            found |= {package["name"].lower(): package["version"] for package in listed}
    return [("peers: " + name, found[name]) for name in OF_PEERS if name in found]


def _program(path: str) -> str:
    match = re.search(r"\d+\.\d+(\.\d+)?", _output([path, "--version"]))
    return match[0] if match else "unknown"


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def _installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True
