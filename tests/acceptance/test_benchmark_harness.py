"""The benchmarks' harness on a few tasks, so that it cannot rot between the runs that take minutes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.processes import Group, cpu_seconds, pss_mib, tree
from tests.support.cluster import PROJECT_ROOT, is_running

DRAIN = """
import asyncio, json
from benchmarks.bench import closing
from benchmarks.clusters import run_queued
from benchmarks.place import prepared

with prepared() as place:
    run = asyncio.run(closing(run_queued(place, "BENCH_PROGRESS", 300, {})))
print(json.dumps([run.number, run.executed_seconds, run.seconds, run.own_cpu + run.mongod_cpu, str(place.folder)]))
"""


def test_a_measured_drain_is_checked_and_leaves_nothing_behind() -> None:
    done = subprocess.run([sys.executable, "-c", DRAIN], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    number, executed, seconds, cpu, folder = json.loads(done.stdout.splitlines()[-1])
    assert number == 300
    assert 0 < executed <= seconds < 30
    assert cpu > 0
    assert not Path(folder).exists()


def test_a_group_is_measured_with_its_children_and_ended_with_them(tmp_path: Path) -> None:
    # The child ignores what ends its parent: only the group reaches it.
    command = ["sh", "-c", "(trap '' TERM; while :; do sleep 0.05; done) & wait"]
    with Group(command, cwd=tmp_path, env=os.environ, output=tmp_path / "output") as group:
        deadline = time.monotonic() + 10
        while len(pids := group.pids()) < 2:
            assert time.monotonic() < deadline
        child = next(pid for pid in pids if pid != group.pid)
        assert child in tree(group.pid)
        assert pss_mib(pids) > pss_mib([group.pid]) > 0
        assert cpu_seconds(pids) >= 0
    assert not is_running(group.pid)
    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline
