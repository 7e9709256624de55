"""What only a real server shows: chunked bodies, malformed HTTP, endless requests, and requests at the same moment."""

import json
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ainoval import mongo
from tests.support.barrage import fire, unreadable
from tests.support.http_server import Answer, HttpServer, read_answer, running

JSON = {"Content-Type": "application/json"}
MALFORMED_REQUESTS = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """The project under uvicorn, with a database of its own."""
    database = f"test_{uuid.uuid4().hex[:16]}"
    directory: Path = tmp_path_factory.mktemp("server")
    with running(directory, mongo.uri(), database) as started:
        yield started
    mongo.sync_database().client.drop_database(database)


@pytest.fixture(scope="module")
def token(server: HttpServer) -> dict[str, str]:
    """Alice's Authorization header."""
    return {"Authorization": f"Bearer {server.log_in('alice')['access']}"}


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def head_of_a_post(headers: dict[str, str]) -> bytes:
    lines = ["POST /api/novels HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def assert_problem(answer: Answer, status: int, code: str) -> dict[str, object]:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    return problem


def test_a_chunked_body_is_read(server: HttpServer, token: dict[str, str]) -> None:
    headers = {**token, **JSON, "Transfer-Encoding": "chunked"}
    answer = server.request("POST", "/api/novels", chunked(b'{"title"', b': "In pieces"}'), headers)
    assert answer.status == 201 and answer.json()["title"] == "In pieces"
    assert answer.headers["location"] == f"/api/novels/{answer.json()['novelId']}"


def test_a_chunked_body_is_bounded_like_any_other(server: HttpServer, token: dict[str, str]) -> None:
    headers = {**token, **JSON, "Transfer-Encoding": "chunked"}
    pieces = chunked(*[b'"' + b"a" * 8191] * 9)
    assert_problem(server.request("POST", "/api/tasks/generate-summary", pieces, headers), 413, "payload_too_large")
    pieces = chunked(*[b'"' + b"a" * 65535] * 20)
    assert_problem(server.request("PATCH", "/api/scenes/x", pieces, headers), 413, "payload_too_large")


def test_a_chunked_body_of_another_type_is_415(server: HttpServer, token: dict[str, str]) -> None:
    headers = {**token, "Transfer-Encoding": "chunked"}
    assert_problem(server.request("POST", "/api/novels", chunked(b"{}"), headers), 415, "unsupported_media_type")


def test_a_chunked_upload_is_read(server: HttpServer, token: dict[str, str]) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nChapter 1\n\nIt rained.\r\n--b--\r\n'
    headers = {**token, "Content-Type": "multipart/form-data; boundary=b", "Transfer-Encoding": "chunked"}
    answer = server.request("POST", "/api/novels/import", chunked(form), headers)
    assert answer.status == 201 and answer.json()["chapterCount"] == 1


def test_too_large_a_body_is_413_whoever_sends_it(server: HttpServer, token: dict[str, str]) -> None:
    body = b"a" * (2 * 1024 * 1024)
    assert_problem(server.request("PATCH", "/api/scenes/x", body, {**token, **JSON}), 413, "payload_too_large")
    assert_problem(server.request("POST", "/api/auth/token", body, JSON), 413, "payload_too_large")


def test_a_gigantic_body_is_refused_by_its_announcement(server: HttpServer, token: dict[str, str]) -> None:
    headers = {**token, "Content-Length": "99999999999"}
    assert_problem(server.request("POST", "/api/novels/import", b"x", headers), 413, "payload_too_large")


def test_a_client_that_asks_first_is_told_before_it_sends(server: HttpServer, token: dict[str, str]) -> None:
    headers = {**token, **JSON, "Expect": "100-continue", "Content-Length": "3000000"}
    assert_problem(server.request("PATCH", "/api/scenes/x", b"", headers), 413, "payload_too_large")


def test_a_body_without_end_is_cut_off(server: HttpServer, token: dict[str, str]) -> None:
    head = head_of_a_post({**token, **JSON, "Transfer-Encoding": "chunked"})
    piece = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=90) as connection:
        connection.sendall(head)
        try:
            for _ in range(300):
                connection.sendall(piece)
                sent += 1
        except OSError:
            pass
    assert sent < 200, "the server must not swallow a body for ever"
    assert server.request("GET", "/health/live").status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset*=nonsense''x",
        "application/json; charset=\x01",
        'application/json; charset="hex"',
        "application/json; charset=idna",
        ";;;",
        "a" * 5000,
        "application/json; charset*0*=utf-8''a; charset*1=b",
        "multipart/form-data",
        "multipart/form-data; boundary=" + "b" * 300,
        "application/json; charset=undefined",
    ],
)
def test_a_strange_content_type_is_415(server: HttpServer, token: dict[str, str], content_type: str) -> None:
    answer = server.request("POST", "/api/novels", b'{"title": "x"}', {**token, "Content-Type": content_type})
    if answer.status != 400 or answer.headers.get("content-type", "").startswith("application/problem"):  # else refused as HTTP, before us
        assert_problem(answer, 415, "unsupported_media_type")


def test_a_form_in_an_encoding_that_is_none_reaches_no_page(server: HttpServer) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\nx\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b; charset=hex", "Cookie": f"csrftoken={'c' * 32}"}
    assert_problem(server.request("POST", "/admin/login/", form, headers), 415, "unsupported_media_type")


def test_a_long_content_type_is_not_read(server: HttpServer) -> None:
    """The parser that Django uses would take minutes, in which the server answers nobody."""
    head = head_of_a_post({"Content-Type": 'application/json; x="' + ";" * 400_000, "Content-Length": "2"})
    assert_problem(server.exchange(head + b"{}", seconds=20), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "data",
    [
        b"GET\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /api/tasks HTTP/9.9\r\n\r\n",
        b"GET /api/\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"POST /api/novels HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST /api/novels HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/novels HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/tasks HTTP/1.1\r\n\r\n",
        b"GET /api/tasks HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /api/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
def test_malformed_http_is_never_a_page_nor_a_server_error(server: HttpServer, data: bytes) -> None:
    answer = server.exchange(data)
    assert answer.status < 500 and b"<html" not in answer.body.lower() and b"Traceback" not in answer.body


def test_empty_lines_before_a_request_are_passed_over(server: HttpServer) -> None:
    assert server.exchange(b"\r\n\r\nGET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").status == 200


def test_a_connection_that_ends_in_the_middle_harms_nobody(server: HttpServer, token: dict[str, str]) -> None:
    for data in (b"POST /api/novels HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{", b"POST /api/nov"):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(data)
    assert server.request("GET", "/api/novels", headers=token).status == 200


def test_a_half_sent_body_then_silence_is_not_answered_as_a_whole_one(server: HttpServer, token: dict[str, str]) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=90) as connection:
        connection.sendall(head_of_a_post({**token, **JSON, "Content-Length": "40"}) + b'{"title": "cut"}')
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection).status in (0, 400)


def test_of_several_refreshes_of_one_token_at_once_one_succeeds(server: HttpServer) -> None:
    for _ in range(3):
        body = json.dumps({"refresh": server.log_in("bob")["refresh"]}).encode()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, body=body: server.request("POST", "/api/auth/token/refresh", body, JSON), range(8)))
        assert sorted(answer.status for answer in answers) == [200] + [401] * 7


def test_health_says_what_is_up(server: HttpServer) -> None:
    assert server.request("GET", "/health/live").json() == {"status": "up"}
    ready = server.request("GET", "/health/ready")
    assert ready.status == 200
    assert ready.json() == {"status": "ready", "checks": {"mongodb": "up", "database": "up", "workers": 0}}


def test_malformed_requests_never_make_a_server_error(server: HttpServer, token: dict[str, str]) -> None:
    """A share of the bar's 10,000, which `make fuzz` sends."""
    wrong = fire(server, token, MALFORMED_REQUESTS)
    assert not wrong, "\n".join(wrong[:5])
    assert "unhandled_exception" not in server.log.read_text()


def test_what_was_accepted_can_be_read(server: HttpServer, token: dict[str, str]) -> None:
    fire(server, token, MALFORMED_REQUESTS // 3, seed=1)
    assert server.request("POST", "/api/novels", b'{"title": "At least one"}', {**token, **JSON}).status == 201
    count, wrong = unreadable(server, token)
    assert count > 0
    assert not wrong, "\n".join(wrong[:5])


def test_files_pages_and_cookies_come_whole_through_the_threads(server: HttpServer) -> None:
    from django.contrib.staticfiles import finders

    path = finders.find("admin/css/base.css")
    assert isinstance(path, str)
    sheet = server.request("GET", "/static/admin/css/base.css")
    assert (sheet.status, sheet.body) == (200, Path(path).read_bytes())
    assert sheet.headers["content-type"].startswith("text/css")
    page = server.request("GET", "/admin/login/")
    assert page.status == 200 and b"</html>" in page.body
    assert page.headers["set-cookie"].startswith("csrftoken=")


def test_a_hundred_requests_at_once_are_all_answered(server: HttpServer, token: dict[str, str]) -> None:
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda number: server.request("GET", f"/api/tasks?size={number}", headers=token), range(1, 101)))

    assert [answer.status for answer in answers] == [200] * 100
    assert [answer.json()["size"] for answer in answers] == list(range(1, 101))
