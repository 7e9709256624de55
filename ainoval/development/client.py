"""The API as a writing app uses it: log in, ask, understand what it refuses."""

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import httpx

from ainoval.development.users import Login

Json = dict[str, Any]

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.5
PAGE_SIZE = 100
MEDIA_TYPE = "application/octet-stream"


class ApiError(Exception):
    """The server refuses or cannot be reached; the message says why.

    Attributes:
        status: The HTTP status; 0 when there was no answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """A server, and a user logged in there.

    Args:
        url: Without `/api`.
        login: Whose.
        between: Is called between tries, so that somebody can look after other things.
        local: The server is on this machine: no proxy is asked.
    """

    def __init__(self, url: str, login: Login, *, between: Callable[[], None] = lambda: None, local: bool = True) -> None:
        self.url = url
        self.login = login
        self._between = between
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=not local)
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def log_in(self) -> None:
        """Get a token.

        Raises:
            ApiError: The server does not know this user and password.
        """
        body = {"username": self.login.username, "password": self.login.password}
        self._token = str(self._parsed(self._patiently(lambda: self._http.post("/api/auth/token", json=body)))["access"])

    def get(self, path: str, **query: str | int) -> Json:
        """Read."""
        return self._authorized(lambda headers: self._http.get(path, params=query, headers=headers))

    def pages(self, path: str, **query: str | int) -> Iterator[Json]:
        """Read all entries of a list, page by page."""
        number, last = 0, False
        while not last:
            page = self.get(path, page=number, size=PAGE_SIZE, **query)
            yield from page["content"]
            number, last = number + 1, page["last"]

    def submit(self, task_type: str, parameters: Json, key: str) -> str:
        """Submit a task and return its id; with its Idempotency-Key a repeat of a request that was lost makes no second one."""

        def send(headers: dict[str, str]) -> httpx.Response:
            return self._http.post(f"/api/tasks/{task_type}", json=parameters, headers=headers | {"Idempotency-Key": key})

        return str(self._authorized(send)["taskId"])

    def post(self, path: str, body: Json) -> Json:
        """Make something. Not repeated when the answer is lost."""
        return self._authorized(lambda headers: self._http.post(path, json=body, headers=headers), repeatable=False)

    def upload(self, path: str, filename: str, data: bytes) -> Json:
        """Make something of a file. Not repeated when the answer is lost: it might be there twice."""
        files = {"file": (filename, data, MEDIA_TYPE)}
        return self._authorized(lambda headers: self._http.post(path, files=files, headers=headers), repeatable=False)

    def _authorized(self, send: Callable[[dict[str, str]], httpx.Response], *, repeatable: bool = True) -> Json:
        for attempt in (1, 2):
            if not self._token:
                self.log_in()
            response = self._patiently(lambda: send({"Authorization": f"Bearer {self._token}"}), repeatable=repeatable)
            if response.status_code != httpx.codes.UNAUTHORIZED or attempt == 2:
                break
            self._token = ""  # it lives an hour, and a big novel may take longer
        return self._parsed(response)

    def _patiently(self, send: Callable[[], httpx.Response], *, repeatable: bool = True) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                response = send()
            except httpx.TransportError as exc:
                if not repeatable or time.monotonic() > deadline:
                    raise ApiError(f"The server at {self.url} does not answer ({type(exc).__name__}).") from exc
                pause = PAUSE_SECONDS
            else:
                refused_for_now = response.status_code == 429 or (response.status_code == 503 and repeatable)
                pause = _retry_after(response)
                if not refused_for_now or time.monotonic() + pause > deadline:
                    return response
            self._wait(pause)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._between()
            time.sleep(min(left, PAUSE_SECONDS))

    def _parsed(self, response: httpx.Response) -> Json:
        try:
            body = response.json()
        except ValueError:
            body = None
        if response.is_success and isinstance(body, dict):
            return body
        raise ApiError(_why(response, body), response.status_code)


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(float(response.headers["Retry-After"]), PAUSE_SECONDS)
    except (KeyError, ValueError):
        return PAUSE_SECONDS


def _why(response: httpx.Response, body: object) -> str:
    request = f"{response.request.method} {response.request.url.path}"
    if not isinstance(body, dict) or "code" not in body:
        return f"{request} answered {response.status_code} {response.reason_phrase}, and not in the way of this API: is it another program's address?"
    errors = "; ".join(f"{error.get('field')}: {error.get('message')}" for error in body.get("errors", ()))
    return f"{body.get('detail') or body.get('title')}{f' ({errors})' if errors else ''} [{request}: {response.status_code} {body['code']}]"
