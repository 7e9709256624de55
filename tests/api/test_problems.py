"""Whatever goes wrong is one kind of answer: a problem document, never a page, never a traceback."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.test import Client
from django.urls import path
from pymongo.errors import ServerSelectionTimeoutError
from rest_framework.request import Request
from rest_framework.response import Response

import ainoval
import ainoval.urls
import tasks_app
from ainoval import mongo
from ainoval.api.problem import STATUS
from ainoval.api.views import ApiView
from ainoval.errors import AinovalError, WorkError
from tasks_app.bulk_actions import AskedAlready, BulkActionNotFound
from tasks_app.errors import AttemptStopped, LeaseLost

Api = Callable[[Any], Any]


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    assert "Traceback" not in answer.content.decode() and "<html" not in answer.content.decode()
    return body


UNKNOWN = ["/api", "/api/", "/api/nothing", "/api/tasks/", "/api/tasks/x/y", "/api/auth", "/api/auth/token/", "/health", "/health/x", "/api/%00", "/api/é"]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("address", UNKNOWN)
def test_an_unknown_address_is_404_with_or_without_debug(address: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    for method in ("get", "post", "options"):
        assert_problem(getattr(Client(), method)(address), 404, "not_found")


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("address", ["/api/tasks", "/api/nothing", "/health/live"])
def test_an_unknown_host_is_400(address: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    settings.ALLOWED_HOSTS = ["example.org"]
    assert_problem(Client().get(address, headers={"Host": "evil.example"}), 400, "bad_request")


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("put", "/api/tasks"),
        ("delete", "/api/tasks"),
        ("patch", "/api/tasks/x"),
        ("options", "/api/tasks"),
        ("get", "/api/tasks/x/retry"),
        ("trace", "/api/tasks"),
        ("post", "/api/tasks/types"),
        ("put", "/api/novels"),
        ("delete", "/api/scenes/x"),
        ("get", "/api/novels/x/nothing"),
    ],
)
def test_a_method_that_an_address_does_not_know_is_405(method: str, address: str, api: Api, alice: Any) -> None:
    answer = getattr(api(alice), method)(address)
    if address.endswith("nothing"):
        assert_problem(answer, 404, "not_found")
    else:
        assert_problem(answer, 405, "method_not_allowed")
        assert "GET" in answer["Allow"] or "POST" in answer["Allow"]


ADDRESSES = ["tasks", "tasks/types", "tasks/x", "tasks/generate-summary", "tasks/GENERATE_SCENE", "tasks/x/apply", "novels", "novels/x", "scenes/x"]


@pytest.mark.parametrize("address", [f"/api/{address}" for address in ADDRESSES] + ["/api/auth/token", "/health/live"])
def test_allow_names_exactly_the_methods_that_an_address_knows(address: str, api: Api, alice: Any) -> None:
    client = api(alice)
    methods = ["get", "head", "post", "patch", "put", "delete", "options", "trace"]
    answers = {method.upper(): getattr(client, method)(address) for method in methods}
    refused = {method for method, answer in answers.items() if answer.status_code == 405}
    assert refused, "nothing says what is allowed"
    # A task's id and a task type share an address: who reads or deletes a type's name is told that there is no such task.
    unknown = {"GET", "HEAD", "DELETE"} if address.endswith(("summary", "SCENE")) else {"POST"} if address == "/api/tasks/x" else set()
    for method in refused:
        assert set(answers[method]["Allow"].split(", ")) == answers.keys() - refused - unknown


def test_a_token_endpoint_is_not_readable() -> None:
    assert_problem(Client().get("/api/auth/token"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml",
        "garbage",
        "application/json; x*=nonsense''y",
        "application/json; x*=y; x*0=z",
        ";;;",
        "application/problem+json",
    ],
)
def test_answers_are_json_or_406(accept: str, api: Api, alice: Any) -> None:
    assert_problem(api(alice).get("/api/tasks", headers={"Accept": accept}), 406, "not_acceptable")


@pytest.mark.parametrize("address", ["/api/tasks", "/api/tasks/x", "/api/tasks/types", "/api/novels", "/api/novels/x", "/api/scenes/x"])
def test_nothing_is_told_without_a_token(address: str, api: Api) -> None:
    answer = api(None).get(address)
    assert_problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=gbk", "", "x"]
)
def test_a_body_must_be_json_in_utf_8(content_type: str, api: Api, alice: Any) -> None:
    answer = api(alice).generic("POST", "/api/novels", b'{"title": "x"}', content_type=content_type)
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body", [b"{", b'{"title": 1e400}', b'{"title": "a", "title": "b"}', b'{"title": "\\ud800"}', b'{"title": "\\u0000"}', b"\xff", b"{} x"]
)
def test_a_body_that_is_no_strict_json_is_400(body: bytes, api: Api, alice: Any) -> None:
    assert_problem(api(alice).generic("POST", "/api/novels", body, content_type="application/json"), 400, "malformed_json")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b'{"title": null}', b'{"title": "x", "unknown": 1}', b'{"title": 1}'])
def test_a_body_that_does_not_fit_names_the_field(body: bytes, api: Api, alice: Any) -> None:
    problem = assert_problem(api(alice).generic("POST", "/api/novels", body, content_type="application/json"), 400, "invalid_parameters")
    assert problem["errors"] and {"field", "message"} == set(problem["errors"][0])


def test_an_empty_body_needs_no_type(api: Api, alice: Any) -> None:
    problem = assert_problem(api(alice).generic("POST", "/api/novels", b"", content_type=""), 400, "invalid_parameters")
    assert problem["errors"][0]["field"] == "title"


def test_a_submission_is_at_most_64_kib(api: Api, alice: Any) -> None:
    at_limit = b'{"x": "' + b"a" * (64 * 1024 - 9) + b'"}'
    assert len(at_limit) == 64 * 1024
    send = api(alice).generic
    assert send("POST", "/api/tasks/no-such-type", at_limit, content_type="application/json").status_code == 404
    problem = assert_problem(send("POST", "/api/tasks/no-such-type", at_limit + b" ", content_type="application/json"), 413, "payload_too_large")
    assert problem["limitBytes"] == 64 * 1024


def test_a_scene_is_at_most_one_mib(api: Api, alice: Any) -> None:
    body = b'{"version": 1, "content": "' + b"a" * (1024 * 1024) + b'"}'
    assert_problem(api(alice).generic("PATCH", "/api/scenes/x", body, content_type="application/json"), 413, "payload_too_large")


@pytest.mark.parametrize("address", ["/api/tasks", "/api/tasks/types", "/api/tasks/x", "/api/nothing", "/api/docs", "/health/live"])
def test_answers_are_english_whatever_is_accepted(address: str, api: Api, alice: Any) -> None:
    client = api(alice)
    client.get("/admin/login/", headers={"Accept-Language": "zh-hans"})  # leaves its language behind in this thread
    plain, chinese = client.get(address), client.get(address, headers={"Accept-Language": "zh-hans"})
    assert chinese.content == plain.content
    assert "Content-Language" not in chinese and "Accept-Language" not in chinese.get("Vary", "")


class Failing(ApiView):
    """Fails as told."""

    failures: dict[str, Exception] = {
        "bug": RuntimeError("the secret is in /etc/passwd"),
        "locked": OperationalError("database is locked"),
        "away": ServerSelectionTimeoutError("127.0.0.1:27017: connection refused"),
        "suspicious": SuspiciousOperation("odd"),
        "denied": PermissionDenied("no"),
        "unlisted": AinovalError("what", code="never_heard_of"),
    }

    def get(self, request: Request, name: str) -> Response:
        raise self.failures[name]


urlpatterns = [path("api/failing/<str:name>", Failing.as_view()), *ainoval.urls.urlpatterns]


@pytest.fixture
def failing_addresses(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    yield


@pytest.mark.usefixtures("failing_addresses")
@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_is_a_500_that_tells_nothing(api: Api, alice: Any, settings: Any, debug: bool, caplog: pytest.LogCaptureFixture) -> None:
    settings.DEBUG = debug
    answer = api(alice).get("/api/failing/bug")
    assert_problem(answer, 500, "internal_error")
    assert b"secret" not in answer.content
    assert "the secret is in" in caplog.text, "the log has what the client has not"


@pytest.mark.usefixtures("failing_addresses")
def test_failures_that_are_nobodys_mistake_say_when_to_come_back(api: Api, alice: Any) -> None:
    locked = api(alice).get("/api/failing/locked")
    assert_problem(locked, 503, "database_unavailable")
    away = api(alice).get("/api/failing/away")
    assert_problem(away, 503, "mongodb_unavailable")
    assert b"27017" not in away.content
    assert int(locked["Retry-After"]) > 0 and int(away["Retry-After"]) > 0


@pytest.mark.usefixtures("failing_addresses")
@pytest.mark.parametrize(("name", "status", "code"), [("suspicious", 400, "bad_request"), ("denied", 403, "forbidden"), ("unlisted", 500, "internal_error")])
def test_other_exceptions_have_their_status(name: str, status: int, code: str, api: Api, alice: Any) -> None:
    assert_problem(api(alice).get(f"/api/failing/{name}"), status, code)


def every_error() -> list[type[AinovalError]]:
    for package in (ainoval, tasks_app):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and not module.name.endswith(("asgi", "wsgi")):
                importlib.import_module(module.name)
    found: list[type[AinovalError]] = []
    pending = [AinovalError]
    while pending:
        for subclass in pending.pop().__subclasses__():
            pending.append(subclass)
            found.append(subclass)
    # A base without a code of its own is never raised.
    return [error for error in found if error.__module__.startswith(("ainoval.", "tasks_app.")) and error.code != AinovalError.code]


def test_every_error_that_can_reach_a_client_has_a_status() -> None:
    # Raised inside an attempt, at the terminal, or in the console, which shows them as pages.
    elsewhere = (WorkError, LeaseLost, AttemptStopped, AskedAlready, BulkActionNotFound, *mongo.UNAVAILABLE)
    missing = {
        error.__qualname__: error.code
        for error in every_error()
        if not issubclass(error, elsewhere) and not any(getattr(base, "code", None) in STATUS for base in error.__mro__)
    }
    assert not missing
