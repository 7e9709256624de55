"""Measure the system as it ships: `make bench`, or `python -m benchmarks.bench [waiting] [drain] [dispatch] [submit]`.

Tasks go in through `operations.submit` and are run by `manage.py qcluster` with two worker processes, on an embedded MongoDB in a folder of its own; every
change of state is majority written and journaled. After each measurement every document is read: one attempt, completed, no lease left. A figure that fails
the check is not printed.

Each line is one JSON object; times in seconds.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
USER = "bench"

Json = dict[str, Any]


def prepare(data_dir: Path) -> None:
    """Set the environment and Django up, for this process and those it starts."""
    for name in [n for n in os.environ if n.startswith(("TASKS_", "AINOVAL_", "AI_", "OPENAI_", "MONGODB_", "DATABASE_"))]:
        del os.environ[name]
    os.environ |= {
        "AINOVAL_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "AINOVAL_LOG_LEVEL": "WARNING",
        "TASKS_WORKER_CONCURRENCY": "1000",
        "TASKS_MAX_RUNNING_PER_USER": "0",
        "TASKS_SUBMIT_RATE": "0",
        "TASKS_MAX_QUEUED_PER_USER": "1000000",
    }
    import django

    django.setup()
    from django.core.management import call_command

    from ainoval import indexes

    call_command("migrate", verbosity=0)
    indexes.ensure_indexes()


@contextmanager
def cluster(workers: int) -> Iterator[None]:
    """Run a worker cluster, ready to claim."""
    from ainoval import mongo

    env = os.environ | {"TASKS_WORKERS": str(workers)}
    process = subprocess.Popen([sys.executable, "manage.py", "qcluster"], cwd=ROOT, env=env, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while mongo.sync_database()["task_workers"].count_documents({}) < workers:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the cluster did not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(40)


async def submit(task_type: str, number: int, parameters: Json, at_once: int = 50) -> list[str]:
    """Submit through the shipped operation, some at a time."""
    from tasks_app import operations

    ids: list[str] = []
    for start in range(0, number, at_once):
        group = (operations.submit(USER, task_type, parameters) for _ in range(min(at_once, number - start)))
        ids += [each.task_id for each in await asyncio.gather(*group)]
    return ids


async def all_done(number: int, seconds: float = 120.0) -> None:
    """Wait until so many tasks have ended, and check every one of them."""
    from ainoval import mongo

    tasks = mongo.database()["background_tasks"]
    deadline = time.monotonic() + seconds
    while await tasks.count_documents({"status": "COMPLETED"}, hint="listed") < number:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all of {number} tasks ended within {seconds} s")
        await asyncio.sleep(0.05)
    async for task in tasks.find({}):
        right = task["status"] == "COMPLETED" and task["attempt"] == 1 and len(task["attempts"]) == 1 and "lease" not in task
        if not (right and task["createdAt"] <= task["startedAt"] <= task["completedAt"]):
            raise SystemExit(f"this task is not as it should be: {task}")


async def span(field: str = "startedAt") -> float:
    """Return the seconds from the first start to the last end."""
    from ainoval import mongo

    stages: list[Json] = [{"$group": {"_id": None, "first": {"$min": f"${field}"}, "last": {"$max": "$completedAt"}}}]
    [times] = await (await mongo.database()["background_tasks"].aggregate(stages)).to_list(None)
    return float((times["last"] - times["first"]).total_seconds())


async def empty() -> None:
    """Forget all tasks."""
    from ainoval import mongo

    await mongo.database()["background_tasks"].delete_many({})


async def queued_then_run(task_type: str, number: int, parameters: Json) -> float:
    """Queue the tasks, then start two workers and return the time from the first start to the last end."""
    await empty()
    await submit(task_type, number, parameters)
    with cluster(2):
        await all_done(number)
        return await span()


async def waiting(rounds: int) -> Json:
    """2,000 queued tasks that wait one second each, two worker processes."""
    times = [await queued_then_run("BENCH_WAIT", 2_000, {"seconds": 1.0}) for _ in range(rounds)]
    return {"figure": "2,000 tasks that wait 1 s, first start to last end", "seconds": _spread(times)}


async def drain(rounds: int) -> Json:
    """5,000 queued tasks that do nothing, two worker processes."""
    rates = [5_000 / await queued_then_run("BENCH_NOOP", 5_000, {}) for _ in range(rounds)]
    return {"figure": "5,000 no-op tasks, tasks a second", "per_second": _spread(rates)}


async def dispatch(rounds: int) -> Json:
    """From the accepted insert to the executable's first line, an idle system with two workers."""
    from ainoval import mongo
    from tasks_app import operations

    await empty()
    accepted: dict[str, float] = {}
    with cluster(2):
        await asyncio.sleep(1.5)
        for _ in range(100 * rounds):
            submitted = await operations.submit(USER, "BENCH_NOOP", {})
            accepted[submitted.task_id] = time.monotonic()
            await asyncio.sleep(0.05)
        await all_done(len(accepted))
    began = {task["_id"]: task["result"]["at"] async for task in mongo.database()["background_tasks"].find({}, {"result": 1})}
    delays = sorted(1000 * (began[task_id] - at) for task_id, at in accepted.items())
    return {"figure": "dispatch, idle", "p50_ms": round(delays[len(delays) // 2], 2), "p95_ms": round(delays[int(len(delays) * 0.95)], 2)}


async def submission(rounds: int) -> Json:
    """One producer in this process, one task at a time and fifty at once."""
    rates: dict[int, list[float]] = {1: [], 50: []}
    for _ in range(rounds):
        for at_once, measured in rates.items():
            await empty()
            start = time.monotonic()
            await submit("BENCH_NOOP", 500, {}, at_once)
            measured.append(500 / (time.monotonic() - start))
    return {"figure": "submit in process, a second", "one_at_a_time": _spread(rates[1]), "fifty_at_once": _spread(rates[50])}


FIGURES: dict[str, Callable[[int], Awaitable[Json]]] = {"waiting": waiting, "drain": drain, "dispatch": dispatch, "submit": submission}


def _spread(values: list[float]) -> Json:
    return {"median": round(statistics.median(values), 2), "min": round(min(values), 2), "max": round(max(values), 2)}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"any of {', '.join(FIGURES)}; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    chosen = options.figures or list(FIGURES)
    if unknown := set(chosen) - set(FIGURES):
        parser.error(f"unknown figure: {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="ainoval-bench-"))
    try:
        prepare(folder)
        from ainoval import mongo, mongod

        try:
            for name in chosen:
                print(json.dumps({"name": name, **asyncio.run(_closing(FIGURES[name](options.rounds)))}), flush=True)
        finally:
            mongo.disconnect()
            mongod.stop_if_last(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _closing(work: Awaitable[Json]) -> Json:
    from ainoval import mongo

    try:
        return await work
    finally:
        await mongo.close()


if __name__ == "__main__":
    main()
