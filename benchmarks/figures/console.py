"""The staff console with a million documents, as `manage.py seed_console` makes them: how long each kind of page takes to answer.

For each kind the server starts anew and then answers 200 requests, one after another, the first ones included. Measured over loopback, from the request's
first byte to the answer's last: what the server takes, and a little more. MongoDB's cache is the development server's 256 MiB.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from typing import Any

from benchmarks.measured import Measured, percentile
from benchmarks.place import Place
from benchmarks.server import server

REQUESTS = 200
CONSOLE = "/admin/tasks_app/backgroundtask/"
TITLES = {
    "overview": "the console's overview, p95 of 200 requests after a restart, a million documents",
    "list": "its list, each tab and its next pages, likewise",
    "filter": "its list with the filters of single users, types, errors, ages and reasons to wait, likewise",
    "task": "a task's page, batches of 500 and more among them, likewise",
}


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Make the million, and measure the pages."""
    await asyncio.to_thread(_seed)
    return await asyncio.to_thread(pages, place, rounds)


def pages(place: Place, rounds: int) -> list[Measured]:
    """Measure the pages of a database that is seeded."""
    cookie = _log_in()
    asked = addresses()
    times: dict[str, list[float]] = {kind: [] for kind in asked}
    with place.run(sys.executable, "manage.py", "seed_console", "--tasks", "0", "--beat", name="workers"):
        for _ in range(rounds):
            for kind, targets in asked.items():
                with server(place, 1) as (port, _group):
                    times[kind].append(1000 * percentile(_answered(port, cookie, itertools.cycle(targets)), 0.95))
    return [Measured(f"console_{kind}", TITLES[kind], "ms", tuple(values)) for kind, values in times.items()]


def addresses() -> dict[str, list[str]]:
    """Return what is asked for by kind of page: nothing is asked for twice in a row."""
    from ainoval import mongo

    tasks = mongo.sync_database()["background_tasks"]
    found: dict[str, list[str]] = {"overview": [f"{CONSOLE}overview/?range={span}" for span in ("1h", "24h", "7d")]}
    statuses: list[str] = sorted(tasks.distinct("status"))
    found["list"] = [CONSOLE, *(f"{CONSOLE}?status={status}" for status in statuses)]
    for status in (*statuses, ""):
        found["list"] += [f"{CONSOLE}?{query}" for query in _pages_on(status, 15)]
    # One of the first users and one of the last, and what few of a million tasks have.
    users = [each["_id"] for each in tasks.aggregate([{"$sortByCount": "$userId"}])]
    chosen = [users[0], users[len(users) // 2], users[-1]]
    found["filter"] = [f"{CONSOLE}?user={user}&status={status}&children=1" for user in chosen for status in ("", "FAILED", "COMPLETED", "QUEUED")]
    found["filter"] += [f"{CONSOLE}?user={user}&type=batch&created=%3E7d" for user in chosen]
    codes = [each["_id"] for each in tasks.aggregate([{"$match": {"status": "FAILED"}}, {"$sortByCount": "$errorInfo.code"}])]
    found["filter"] += [f"{CONSOLE}?status=FAILED&error={code}&children=1" for code in codes]
    found["filter"] += [f"{CONSOLE}?type={name}&created={age}" for name in ("GENERATE_SUMMARY", "scene") for age in ("%3C1h", "%3E2d", "%3E20d")]
    found["filter"] += [f"{CONSOLE}?waiting={code}&children=1" for code in ("queued", "user_limit", "provider_limited", "backoff", "awaiting_children")]
    found["task"] = [f"{CONSOLE}{each['_id']}/" for each in tasks.aggregate([{"$sample": {"size": 150}}, {"$project": {"_id": 1}}])]
    largest = tasks.find({"children.total": {"$gt": 0}}, {"_id": 1}).sort("children.total", -1).limit(50)
    found["task"] += [f"{CONSOLE}{each['_id']}/" for each in largest]
    return found


def _pages_on(status: str, count: int) -> Iterator[str]:
    """Yield the addresses of pages deep in a list, which go on from a task somewhere in it."""
    from ainoval import mongo
    from tasks_app.admin.filters import ListState
    from tasks_app.search import Position

    match: dict[str, Any] = {"status": status} if status else {}
    stages: list[dict[str, Any]] = [{"$match": match}, {"$sample": {"size": count}}, {"$project": {"createdAt": 1}}]
    for task in mongo.sync_database()["background_tasks"].aggregate(stages):
        yield ListState(status=status, before=Position.of(task)).query_string()


def _answered(port: int, cookie: str, targets: Iterator[str]) -> Sequence[float]:
    """Return the seconds of each request, of which every one must be answered with 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    seconds = []
    for target in itertools.islice(targets, REQUESTS):
        start = time.perf_counter()
        connection.request("GET", target, headers={"Cookie": cookie, "Accept": "text/html"})
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - start)
        if answer.status != 200:
            raise SystemExit(f"{target} was answered with {answer.status}")
    connection.close()
    return seconds


def _log_in() -> str:
    """Return the cookie of an operator, as a log-in sets it."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    users = get_user_model().objects
    operator = users.filter(username="olga").first() or users.create_superuser(username="olga")
    client = Client()
    client.force_login(operator)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def _seed() -> None:
    from django.core.management import call_command

    call_command("seed_console")
