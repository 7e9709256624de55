"""Fuzz the project: `make fuzz`, or `python -m tests.fuzz [--requests N] [--seconds S] [--seed N]`.

The property tests look for new examples. Then a real server, with a worker and novels to work on, is sent malformed requests by the thousand, and what
schemathesis makes of the server's own OpenAPI document: requests that fit it, requests that do not, and sequences of them. Not one may be answered with
a server error, every answer must be as the document says, and at the end everything that was taken in must be readable. The exit code says whether that
was so; the seed makes a run repeatable.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tests.support.environment  # noqa: F401 - before anything that reads settings
from ainoval import mongod
from tests.support.barrage import entries, fire, unreadable
from tests.support.environment import DATA_DIR
from tests.support.http_server import HttpServer, running

ROOT = Path(__file__).resolve().parents[1]
NOVELS = [ROOT / "ainoval/novels/samples" / name for name in ("the_ferry_ledger.txt", "yanhui_station.txt")]
NO_LIMITS = {"TASKS_SUBMIT_RATE": "0", "TASKS_MAX_QUEUED_PER_USER": "1000000", "TASKS_MAX_RUNNING_PER_USER": "0"}
DOOMED = 40  # novels for requests that delete one
FOUND_BY_FAULT = 5  # lines that are shown of each kind of fault

CONFIG = """
hooks = "tests.support.fuzz_checks"
# JSON Schema cannot say that texts have no NUL character; tests/support/mischief.py sends them.
generation.allow-x00 = false

[dictionaries]
{dictionaries}

# More than half of the ids are those of things that exist: a request for anything else is a 404 and goes no deeper. Only where an id may always stand:
# put into a field that must be null beside others, it would make a request that does not fit.
[parameters]
"path.novelId" = {{ dictionary = "novels", probability = 0.6 }}
"path.sceneId" = {{ dictionary = "scenes", probability = 0.6 }}
"path.taskId" = {{ dictionary = "tasks", probability = 0.6 }}
"query.chapterId" = {{ dictionary = "chapters", probability = 0.5 }}
"query.parentId" = {{ dictionary = "tasks", probability = 0.5 }}
"body.novelId" = {{ dictionary = "novels", probability = 0.8 }}
"body.sceneIds.[*]" = {{ dictionary = "scenes", probability = 0.8 }}

[[operations]]
include-operation-id = "deleteNovel"
parameters = {{ "path.novelId" = {{ dictionary = "doomed", probability = 0.6 }} }}

[[operations]]
include-operation-id = "submitGenerateSummary"
parameters = {{ "body.sceneId" = {{ dictionary = "scenes", probability = 0.8 }} }}

[[operations]]
include-operation-id = "createScene"
parameters = {{ "body.chapterId" = {{ dictionary = "chapters", probability = 0.8 }} }}

# Some of what a document accepts is refused for what is stored, or for what JSON Schema cannot say: fuzz_checks names those cases, and takes no others.
[checks]
positive_data_acceptance.enabled = false
# A body that does not fit may be too large as well, and is refused for that before it is read.
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
"""


@dataclass(frozen=True)
class Things:
    """Ids of what is stored, for requests that mean something."""

    novels: list[str]
    chapters: list[str]
    scenes: list[str]
    tasks: list[str]
    doomed: list[str]

    def all(self) -> list[str]:
        """Every id of a thing that stays."""
        return [*self.novels, *self.chapters, *self.scenes, *self.tasks]


def main() -> int:
    """Fuzz; return 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=10_000, help="malformed requests (10,000)")
    parser.add_argument("--seconds", type=int, default=90, help="for generated requests (90)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of both; another one each time")
    options = parser.parse_args()
    print(f"Seed {options.seed}.", flush=True)
    if properties(options.seed):
        return 1
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            with running(Path(folder), mongod.ensure_running(DATA_DIR), "fuzz", processes=2, **NO_LIMITS) as server, worker(server, Path(folder)):
                return fuzz(server, Path(folder), options.requests, options.seconds, options.seed)
        finally:
            mongod.stop_if_last(DATA_DIR)


def properties(seed: int) -> int:
    """Run the property tests on examples of their own; return pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "hypothesis", f"--hypothesis-seed={seed}", "tests/unit"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def fuzz(server: HttpServer, folder: Path, requests: int, seconds: int, seed: int) -> int:
    """Do all of it on a server; say what was found."""
    authorization = {"Authorization": f"Bearer {server.log_in('alice')['access']}"}
    things = prepared(server, authorization)
    faults: dict[str, list[str]] = {}
    started = time.monotonic()
    faults["malformed requests"] = fire(server, authorization, requests, seed=seed, known=things.all())
    print(f"{requests:,} malformed requests: {len(faults['malformed requests'])} faults, {time.monotonic() - started:.0f} s.", flush=True)
    generated = schemathesis(server, authorization, things, folder, seconds, seed)
    count, faults["reading"] = unreadable(server, authorization)
    print(f"{count:,} novels, scenes and tasks were taken in: {len(faults['reading'])} cannot be read.")
    faults["the server's log"] = [part for part in server.log.read_text().split("\n20") if "unhandled_exception" in part]
    for kind, lines in faults.items():
        for line in lines[:FOUND_BY_FAULT]:
            print(f"{kind}: {line[:2000]}")
    bad = generated or any(faults.values())
    print(f"{'FAULTS were found' if bad else 'Nothing was found'} with seed {seed}, in {time.monotonic() - started:.0f} s.")
    return 1 if bad else 0


def schemathesis(server: HttpServer, authorization: dict[str, str], things: Things, folder: Path, seconds: int, seed: int) -> int:
    """Run schemathesis; return its exit code."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.format(dictionaries="\n".join(f"{name} = {{ values = {json.dumps(ids)} }}" for name, ids in vars(things).items())))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"http://127.0.0.1:{server.port}/api/schema"]
    command += ["--workers", "2", "--max-time", str(seconds), "--seed", str(seed), "--warnings", "off", "--continue-on-failure"]
    command += [part for name, value in authorization.items() for part in ("--header", f"{name}: {value}")]
    # In the temporary folder: it keeps a cache where it runs.
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode


def prepared(server: HttpServer, authorization: dict[str, str]) -> Things:
    """Store novels, and submit tasks of each type; return what there is when they have ended."""

    def post(target: str, body: bytes, kind: str = "application/json") -> dict[str, object]:
        answer = server.request("POST", target, body, {**authorization, "Content-Type": kind})
        assert answer.status in (201, 202), answer
        return answer.json()

    novels = []
    for novel in NOVELS:
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{novel.name}"\r\n\r\n'.encode()
        novels.append(str(post("/api/novels/import", head + novel.read_bytes() + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")["novelId"]))
    doomed = [str(post("/api/novels", b'{"title": "Doomed"}')["novelId"]) for _ in range(DOOMED)]
    scenes = [scene for novel in novels for scene in entries(server, authorization, f"/api/novels/{novel}/scenes")]
    chapters = list(dict.fromkeys(str(scene["chapterId"]) for scene in scenes))
    ids = [str(scene["sceneId"]) for scene in scenes]
    for scene in ids[:20]:
        post("/api/tasks/generate-summary", json.dumps({"sceneId": scene}).encode())
    for chapter in chapters[:3]:
        post("/api/tasks/generate-scene", json.dumps({"novelId": novels[0], "chapterId": chapter, "summary": "Mara rows home."}).encode())
    for kind in ("batch-generate-summary", "batch-generate-scene"):
        post(f"/api/tasks/{kind}", json.dumps({"novelId": novels[0], "startChapterId": chapters[0], "endChapterId": chapters[2]}).encode())
    deadline = time.monotonic() + 60
    while any(task["completedAt"] is None for task in entries(server, authorization, "/api/tasks")):
        assert time.monotonic() < deadline, "the tasks have not ended"
        time.sleep(0.2)
    tasks = [str(task["taskId"]) for task in entries(server, authorization, "/api/tasks", "includeChildren=true&")]
    return Things(novels, chapters, ids, tasks, doomed)


@contextmanager
def worker(server: HttpServer, folder: Path) -> Iterator[None]:
    """A worker cluster on the server's data."""
    with (folder / "worker.log").open("wb") as log:
        command = [sys.executable, "manage.py", "qcluster"]
        process = subprocess.Popen(command, cwd=ROOT, env={**server.environment, "TASKS_WORKERS": "1"}, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


if __name__ == "__main__":
    sys.exit(main())
