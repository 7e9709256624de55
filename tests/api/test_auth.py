"""Log in, renew, be refused."""

import base64
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from ainoval import mongo
from ainoval.accounts.models import User
from ainoval.accounts.throttle import MAX_FAILURES
from tasks_app import queries

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database_name")]

PASSWORD = "a long enough passphrase"


@pytest.fixture(autouse=True)
def no_attempts_yet() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def writer() -> User:
    return User.objects.create_user("writer", password=PASSWORD)


def log_in(username: str = "writer", password: str = PASSWORD, address: str = "192.0.2.1") -> tuple[int, dict[str, str]]:
    answer = APIClient().post("/api/auth/token", {"username": username, "password": password}, REMOTE_ADDR=address)
    return answer.status_code, answer.json()


def renew(refresh: str) -> tuple[int, dict[str, str]]:
    answer = APIClient().post("/api/auth/token/refresh", {"refresh": refresh})
    return answer.status_code, answer.json()


def status_with(access: str) -> int:
    return APIClient().get("/api/novels", headers={"Authorization": f"Bearer {access}"}).status_code


def test_a_password_opens_the_api(writer: User) -> None:
    status, pair = log_in()
    assert status == 200 and set(pair) == {"access", "refresh"}
    assert status_with(pair["access"]) == 200


def test_the_admin_shows_that_a_refresh_token_was_issued_and_never_the_token(writer: User) -> None:
    refresh = log_in()[1]["refresh"]
    issued = OutstandingToken.objects.get(user=writer)
    browser = Client()
    browser.force_login(User.objects.create_superuser("olga"))
    pages = "/admin/token_blacklist/outstandingtoken/"
    for address in (pages, f"{pages}{issued.pk}/change/"):
        page = browser.get(address)
        assert page.status_code == 200 and issued.jti in page.content.decode() and refresh not in page.content.decode()


def test_a_token_names_its_user_by_uuid(writer: User) -> None:
    claims = jwt.decode(log_in()[1]["access"], options={"verify_signature": False})
    assert claims["sub"] == str(writer.pk) and uuid.UUID(claims["sub"]).version == 4


def test_a_wrong_password_an_unknown_and_an_inactive_user_are_told_the_same(writer: User) -> None:
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    answers = [log_in(password="wrong"), log_in("nobody"), log_in("gone")]
    assert answers[0][0] == 401 and answers[0][1]["code"] == "invalid_credentials"
    assert answers == [answers[0]] * 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "writer"},
        {"username": "writer", "password": 1},
        {"username": "", "password": ""},
        [],
        "x",
        None,
        {"username": "writer", "password": PASSWORD, "more": 1},
        {"username": "w" * 151, "password": "x"},
    ],
)
def test_a_body_that_does_not_fit_is_400_and_names_the_fields(body: object) -> None:
    answer = APIClient().post("/api/auth/token", body)
    assert answer.status_code == 400 and answer.json()["code"] == "invalid_parameters" and answer.json()["errors"]


def test_guessing_is_slowed_down_and_only_for_who_guesses(writer: User) -> None:
    User.objects.create_user("other", password=PASSWORD)
    for _ in range(MAX_FAILURES):
        assert log_in(password="guess")[0] == 401
    answer = APIClient().post("/api/auth/token", {"username": "writer", "password": PASSWORD}, REMOTE_ADDR="192.0.2.1")
    assert answer.status_code == 429 and answer.json()["code"] == "too_many_attempts"
    assert 1 <= int(answer["Retry-After"]) <= 60

    assert log_in(address="192.0.2.2")[0] == 200, "the writer at her own address is not locked out"
    assert log_in("other")[0] == 200, "nor is another account behind the same router"


def test_an_address_cannot_be_made_up(writer: User) -> None:
    for n in range(MAX_FAILURES):
        APIClient().post(
            "/api/auth/token",
            {"username": "writer", "password": "guess"},
            headers={"X-Forwarded-For": f"198.51.100.{n}"},
        )
    answer = APIClient().post("/api/auth/token", {"username": "writer", "password": PASSWORD}, headers={"X-Forwarded-For": "203.0.113.9"})
    assert answer.status_code == 429


def test_right_passwords_are_never_counted(writer: User) -> None:
    assert {log_in()[0] for _ in range(MAX_FAILURES * 2)} == {200}


def test_a_bad_refresh_token_sent_again_and_again_is_429(writer: User) -> None:
    statuses = [renew("x.y.z")[0] for _ in range(MAX_FAILURES + 1)]
    assert statuses == [401] * MAX_FAILURES + [429]
    assert renew(log_in()[1]["refresh"])[0] == 200


def test_a_refresh_token_works_once(writer: User) -> None:
    first = log_in()[1]
    status, second = renew(first["refresh"])
    assert status == 200 and status_with(second["access"]) == 200
    assert renew(first["refresh"]) == (401, renew("garbage")[1])
    assert renew(second["refresh"])[0] == 200


def test_a_used_refresh_token_is_refused_although_its_row_was_flushed(writer: User) -> None:
    first = log_in()[1]["refresh"]
    OutstandingToken.objects.all().delete()
    assert renew(first)[0] == 200
    assert renew(first)[0] == 401


def test_the_records_of_expired_refresh_tokens_go_with_the_next_log_in(writer: User) -> None:
    other = User.objects.create_user("other", password=PASSWORD)
    used, unused, others = log_in()[1]["refresh"], log_in()[1]["refresh"], log_in("other")[1]["refresh"]
    assert renew(used)[0] == 200
    OutstandingToken.objects.filter(token__in=[used, unused, others]).update(expires_at=datetime.now(UTC) - timedelta(days=2))
    kept = OutstandingToken.objects.filter(user=writer, expires_at__gt=datetime.now(UTC)).get()

    assert renew(kept.token)[0] == 200

    assert not OutstandingToken.objects.filter(token__in=[used, unused]).exists()
    assert {str(record.token) for record in BlacklistedToken.objects.select_related("token")} == {str(kept)}
    assert OutstandingToken.objects.filter(user=other).count() == 1, "of other users nothing is read"


def test_a_changed_password_ends_every_token(writer: User) -> None:
    pair = log_in()[1]
    writer.set_password("another long passphrase")
    writer.save()
    assert renew(pair["refresh"])[0] == 401
    assert status_with(pair["access"]) == 401


def test_an_inactive_user_is_refused_at_once(writer: User) -> None:
    pair = log_in()[1]
    User.objects.filter(pk=writer.pk).update(is_active=False)
    assert status_with(pair["access"]) == 401
    assert renew(pair["refresh"])[0] == 401


def test_a_deleted_user_is_refused_at_once(writer: User) -> None:
    pair = log_in()[1]
    writer.delete()
    assert status_with(pair["access"]) == 401
    assert renew(pair["refresh"])[0] == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end_access", ["deactivate", "delete"])
def test_who_loses_access_has_no_task_left_unfinished(end_access: str) -> None:
    writer = User.objects.create_user("leaver", password=PASSWORD)
    user_id = str(writer.pk)
    client = APIClient()
    client.force_authenticate(writer)
    novel = client.post("/api/novels", {"title": "N", "acts": [{"title": "", "chapters": [{"title": "One"}]}]}).json()
    chapter = novel["acts"][0]["chapters"][0]["chapterId"]
    scene = client.post(f"/api/novels/{novel['novelId']}/scenes", {"chapterId": chapter, "content": "It rained."}).json()
    task_id = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]}).json()["taskId"]
    if end_access == "delete":
        writer.delete()
    else:
        writer.is_active = False
        writer.save()
    task = mongo.run(queries.get(task_id, user_id=user_id))
    assert task["status"] == "CANCELLED"


def test_the_two_kinds_of_token_are_not_exchangeable(writer: User) -> None:
    pair = log_in()[1]
    assert status_with(pair["refresh"]) == 401
    assert renew(pair["access"])[0] == 401


def signed(claims: dict[str, object], key: str | None = None) -> str:
    return jwt.encode(claims, key or settings.SIMPLE_JWT["SIGNING_KEY"], algorithm="HS256")


def claims_of(user: User) -> dict[str, object]:
    return dict(RefreshToken.for_user(user).access_token.payload)


def test_forged_and_expired_tokens_are_refused(writer: User) -> None:
    claims = claims_of(writer)
    assert status_with(signed(claims)) == 200, "the claims themselves are good"
    head, body, mark = signed(claims).split(".")
    unsigned = jwt.encode(claims, "", algorithm="none")
    for token in (
        signed(claims, "k" * 32),
        signed({**claims, "exp": 1}),
        signed({**claims, "sub": "not-a-uuid"}),
        signed({**claims, "sub": str(uuid.uuid4())}),
        signed({k: v for k, v in claims.items() if k != "sub"}),
        signed({k: v for k, v in claims.items() if k != "hash_password"}),
        signed({k: v for k, v in claims.items() if k != "exp"}),
        f"{head}.{body}.",
        f"{head}.{mark}.{body}",
        unsigned,
    ):
        assert status_with(token) == 401, token


def test_a_token_that_was_good_a_moment_ago_expires(writer: User) -> None:
    token = signed(claims_of(writer) | {"exp": int(time.time()) + 2})
    assert status_with(token) == 200
    deadline = time.monotonic() + 10
    while status_with(token) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status_with(token) == 401


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b c",
        "Basic YTpi",
        "Token x",
        "Bearer \xff\xfe",
        "Bearer ..",
        "Bearer " + "." * 500,
        "Bearer é.é.é",
        "Bearer " + segment(b"[" * 20_000) + ".e30.AA",
        "Bearer " + segment(b'{"alg":["HS256"]}') + ".e30.AA",
        "Bearer " + segment(b'{"alg":{}}') + ".e30.AA",
        "Bearer " + segment(b'{"alg":"HS256","kid":1}') + ".e30.AA",
        "Bearer " + segment(b'{"alg":"HS256","crit":{}}') + ".e30.AA",
        "Bearer " + segment(b'{"alg":"HS256","b64":false}') + "..AA",
        "Bearer " + segment(b"\xff") + ".e30.AA",
        "Bearer " + segment(json.dumps({"alg": "HS256", "x": "1" * 5000}).encode()) + ".e30.AA",
        "Bearer " + segment(b'{"alg":' + b"1" * 6000 + b"}") + ".e30.AA",
    ],
)
def test_any_authorization_that_is_no_good_token_is_401(header: str) -> None:
    answer = APIClient().get("/api/novels", headers={"Authorization": header})
    assert answer.status_code == 401 and answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_tokens_are_not_to_be_stored(writer: User) -> None:
    answer = APIClient().post("/api/auth/token", {"username": "writer", "password": PASSWORD})
    assert answer["Cache-Control"] == "no-store"


def test_the_admin_knows_the_user_model(writer: User) -> None:
    boss = User.objects.create_superuser("boss", password=PASSWORD)
    client = APIClient()
    client.force_login(boss)
    for address in ("", "add/", f"{writer.pk}/change/"):
        assert client.get(f"/admin/accounts/user/{address}").status_code == 200
