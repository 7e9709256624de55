"""Malformed requests by the thousand at a running server, what is wrong with its answers, and whether all that it took in can be read."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.support.http_server import Answer, HttpServer
from tests.support.mischief import Mischief

THREADS = 4
PROBLEM = "application/problem+json"
REFUSED_AS_HTTP = b"Invalid HTTP request received."  # the HTTP server's own words, before anything of ours sees the request

Headers = dict[str, str]


def fire(server: HttpServer, authorization: Headers, count: int, *, seed: int = 0, known: Sequence[str] = ()) -> list[str]:
    """Send so many requests of which most are malformed; return what is wrong with the answers, a line each.

    A server error is wrong, no answer at all, an error that is no problem document, and JSON that cannot be parsed.

    Args:
        known: Ids of things that exist, for requests that are wrong in something else.
    """

    def some(thread: int) -> list[str]:
        mischief = Mischief(seed * THREADS + thread, authorization["Authorization"], known)
        wrong = []
        for _ in range(count // THREADS):
            method, target, headers, body = mischief.method(), mischief.target(), mischief.headers(), mischief.body()
            answer = server.request(method, target, body, headers)
            if fault := _fault(method, answer):
                wrong.append(f"{fault}: {method} {target[:200]} {headers} {body[:200]!r}: {answer}")
        return wrong

    with ThreadPoolExecutor(THREADS) as pool:
        return [line for lines in pool.map(some, range(THREADS)) for line in lines]


def _fault(method: str, answer: Answer) -> str:
    if answer.status == 0:
        return "no answer"
    if answer.status >= 500:
        return "a server error"
    if method == "HEAD" or (answer.status == 400 and answer.body == REFUSED_AS_HTTP):
        return ""
    kind = answer.headers.get("content-type", "")
    if answer.status >= 400 and kind != PROBLEM:
        return "an error that is no problem document"
    if "json" in kind:
        try:
            json.loads(answer.body)
        except ValueError:
            return "JSON that cannot be parsed"
    return ""


def unreadable(server: HttpServer, authorization: Headers) -> tuple[int, list[str]]:
    """Read everything that the user has: lists, and each novel, scene and task; return how many there are, and what could not be read."""

    def wrong(target: str) -> str:
        answer = server.request("GET", target, headers=authorization)
        return "" if answer.status == 200 and _fault("GET", answer) == "" else f"{target}: {answer}"

    novels = [entry["novelId"] for entry in entries(server, authorization, "/api/novels")]
    scenes = [entry["sceneId"] for novel in novels for entry in entries(server, authorization, f"/api/novels/{novel}/scenes")]
    tasks = [entry["taskId"] for entry in entries(server, authorization, "/api/tasks", "includeChildren=true&")]
    targets = [f"/api/novels/{one}" for one in novels] + [f"/api/scenes/{one}" for one in scenes] + [f"/api/tasks/{one}" for one in tasks]
    with ThreadPoolExecutor(THREADS) as pool:
        return len(targets), [line for line in pool.map(wrong, targets) if line]


def entries(server: HttpServer, authorization: Headers, target: str, query: str = "") -> Iterator[dict[str, object]]:
    """Yield the entries of a list, page by page."""
    page, last = 0, False
    while not last:
        answer = server.request("GET", f"{target}?{query}size=100&page={page}", headers=authorization)
        assert answer.status == 200, f"{target}, page {page}: {answer}"
        found = json.loads(answer.body)
        yield from found["content"]
        page, last = page + 1, found["last"]
