"""Novels and scenes over HTTP."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pymongo.errors import AutoReconnect
from rest_framework.test import APIClient

from ainoval import mongo
from ainoval.ids import new_id
from tasks_app import operations, queries

Api = Callable[[Any], Any]
Json = dict[str, Any]

TEXT = "Chapter 1 Arrival\n\nIt rained all day.\n\n***\n\nThe boat came late.\n\nChapter 2 Storm\n\nThe wind rose.\n"


@pytest.fixture
def client(api: Api, alice: Any) -> Any:
    return api(alice)


def make_novel(client: APIClient, **fields: Any) -> Json:
    answer = client.post(
        "/api/novels", {"title": "The lighthouse", "acts": [{"title": "One", "chapters": [{"title": "Arrival"}, {"title": "Storm"}]}], **fields}
    )
    assert answer.status_code == 201, answer.content
    made: Json = answer.json()
    return made


def make_scene(client: APIClient, novel: Json, chapter: int = 0, **fields: Any) -> Json:
    body = {"chapterId": novel["acts"][0]["chapters"][chapter]["chapterId"], "title": "A scene", "content": "It rained.", **fields}
    answer = client.post(f"/api/novels/{novel['novelId']}/scenes", body)
    assert answer.status_code == 201, answer.content
    made: Json = answer.json()
    return made


def test_a_novel_is_made_read_changed_and_deleted(client: APIClient, alice: Any) -> None:
    answer = client.post("/api/novels", {"title": "Draft"})
    novel = answer.json()
    address = answer["Location"]
    assert address == f"/api/novels/{novel['novelId']}"
    assert novel["author"] == str(alice.pk) and novel["acts"] == []
    assert client.get(address).json() == novel

    acts = [{"title": "One", "chapters": [{"title": "Arrival"}]}]
    changed = client.patch(address, {"title": "The lighthouse", "acts": acts}).json()
    assert changed["title"] == "The lighthouse" and changed["acts"][0]["chapters"][0]["title"] == "Arrival"
    kept = client.patch(address, {"title": "Another"}).json()
    assert kept["acts"] == changed["acts"], "what is left out stays"

    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.delete(address).status_code == 404


def test_times_are_utc_with_milliseconds(client: APIClient) -> None:
    assert len(make_novel(client)["createdAt"]) == len("2026-01-01T00:00:00.000Z") and make_novel(client)["createdAt"].endswith("Z")


def test_novels_are_listed_newest_first_in_pages(client: APIClient, api: Api, bob: Any) -> None:
    for number in range(3):
        make_novel(client, title=f"Novel {number}")
    make_novel(api(bob), title="Somebody else's")
    page = client.get("/api/novels?size=2").json()
    assert [novel["title"] for novel in page["content"]] == ["Novel 2", "Novel 1"]
    assert (page["totalElements"], page["totalPages"], page["first"], page["last"]) == (3, 2, True, False)
    assert [novel["title"] for novel in client.get("/api/novels?size=2&page=1").json()["content"]] == ["Novel 0"]
    assert client.get("/api/novels?page=7").json()["empty"] is True
    assert_refused(client.get("/api/novels?page=2000&size=100"), "page_too_deep", "page")


def test_a_scene_is_made_read_and_changed_by_version(client: APIClient) -> None:
    novel = make_novel(client)
    scene = make_scene(client, novel, content="它下雨了 again")
    assert scene["version"] == 1 and scene["wordCount"] == 5 and scene["summary"] == ""
    address = f"/api/scenes/{scene['sceneId']}"
    assert client.get(address).json() == scene

    changed = client.patch(address, {"version": 1, "summary": "Rain."}).json()
    assert (changed["version"], changed["summary"], changed["content"]) == (2, "Rain.", scene["content"])
    stale = client.patch(address, {"version": 1, "title": "Late"})
    assert stale.status_code == 409
    assert {key: stale.json()[key] for key in ("code", "expectedVersion", "currentVersion")} == {
        "code": "scene_changed",
        "expectedVersion": 1,
        "currentVersion": 2,
    }
    assert client.patch(address, {"version": 2, "summary": ""}).json()["summary"] == "", "a text can be emptied"


def test_a_change_without_a_version_is_refused(client: APIClient) -> None:
    scene = make_scene(client, make_novel(client))
    for body in ({}, {"title": "x"}, {"version": "1"}, {"version": True}, {"version": 1.5}, {"version": 1, "title": None}, {"version": 1, "wordCount": 3}):
        answer = client.patch(f"/api/scenes/{scene['sceneId']}", body)
        assert answer.status_code == 400 and answer.json()["code"] == "invalid_parameters", body


def test_scenes_are_listed_in_reading_order_without_their_content(client: APIClient) -> None:
    novel = make_novel(client)
    for chapter, title in ((1, "c"), (0, "a"), (0, "b")):
        make_scene(client, novel, chapter, title=title)
    address = f"/api/novels/{novel['novelId']}/scenes"
    entries = client.get(address).json()["content"]
    assert [entry["title"] for entry in entries] == ["a", "b", "c"]
    assert "content" not in entries[0]
    second = novel["acts"][0]["chapters"][1]["chapterId"]
    assert [entry["title"] for entry in client.get(address, {"chapterId": second}).json()["content"]] == ["c"]
    assert client.get(address, {"chapterId": "nonsense"}).json()["totalElements"] == 0
    assert client.get(f"{address}?chapterId=a&chapterId=b").status_code == 400


def test_what_is_somebody_elses_does_not_exist(client: APIClient, api: Api, bob: Any) -> None:
    novel = make_novel(client)
    scene = make_scene(client, novel)
    other = api(bob)
    for kind, known in (("novels", novel["novelId"]), ("scenes", scene["sceneId"])):
        answers = [other.get(f"/api/{kind}/{name}") for name in (known, new_id(), "nonsense", "$ne", "%00", "é", known.upper() + "x")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1, "byte for byte"
    chapter = novel["acts"][0]["chapters"][0]["chapterId"]
    for method, address, body in (
        ("patch", f"/api/novels/{novel['novelId']}", {"title": "Mine"}),
        ("delete", f"/api/novels/{novel['novelId']}", None),
        ("get", f"/api/novels/{novel['novelId']}/scenes", None),
        ("post", f"/api/novels/{novel['novelId']}/scenes", {"chapterId": chapter}),
        ("patch", f"/api/scenes/{scene['sceneId']}", {"version": 1, "title": "Mine"}),
    ):
        assert getattr(other, method)(address, body).status_code == 404
    assert client.get(f"/api/scenes/{scene['sceneId']}").json() == scene


def test_a_chapter_must_be_of_the_novel(client: APIClient) -> None:
    novel, other = make_novel(client), make_novel(client)
    answer = client.post(f"/api/novels/{novel['novelId']}/scenes", {"chapterId": other["acts"][0]["chapters"][0]["chapterId"]})
    assert answer.status_code == 404 and answer.json()["code"] == "chapter_not_found"


def assert_refused(answer: Any, code: str, field: str) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, code)
    assert problem["errors"] == [{"field": field, "message": problem["detail"]}]


@pytest.mark.parametrize(
    ("scene", "code", "field"),
    [
        ({"content": "x" * (512 * 1024 + 1)}, "content_too_large", "content"),
        ({"summary": "x" * (64 * 1024 + 1)}, "summary_too_large", "summary"),
        ({"title": "x" * 201}, "title_too_long", "title"),
        ({"title": "two\nlines"}, "invalid_text", "title"),
        ({"sequence": -1}, "invalid_sequence", "sequence"),
    ],
)
def test_a_scene_past_a_limit_is_refused_with_a_code_and_the_field(scene: Json, code: str, field: str, client: APIClient) -> None:
    novel = make_novel(client)
    chapter = novel["acts"][0]["chapters"][0]["chapterId"]
    assert_refused(client.post(f"/api/novels/{novel['novelId']}/scenes", {"chapterId": chapter, **scene}), code, field)


CHAPTERS = [{"title": ""}, {"title": "", "chapterId": "0" * 24}]


@pytest.mark.parametrize(
    ("novel", "code", "field"),
    [
        ({"title": " "}, "title_missing", "title"),
        ({"title": "x" * 201}, "title_too_long", "title"),
        ({"title": "x", "acts": [{"title": ""}, {"title": "x" * 201}]}, "title_too_long", "acts.1.title"),
        ({"title": "x", "acts": [{"title": "", "chapters": [{"title": "two\nlines"}]}]}, "invalid_text", "acts.0.chapters.0.title"),
        ({"title": "x", "acts": [{"title": "", "actId": "0" * 24}]}, "unknown_act", "acts.0.actId"),
        ({"title": "x", "acts": [{"title": "", "chapters": CHAPTERS}]}, "unknown_chapter", "acts.0.chapters.1.chapterId"),
        ({"title": "x", "acts": [{"title": ""}] * 501}, "too_many_acts", "acts"),
        ({"title": "x", "acts": [{"title": "", "chapters": [{"title": ""}] * 5_001}]}, "too_many_chapters", "acts"),
    ],
)
def test_a_novel_past_a_limit_is_refused_with_a_code_and_the_field(novel: Json, code: str, field: str, client: APIClient) -> None:
    assert_refused(client.post("/api/novels", novel), code, field)


@pytest.mark.parametrize(
    ("acts", "field"),
    [([0] * 300_000, "acts.0"), ([{"title": "", "chapters": [{"title": ""}, *[{}] * 300_000]}], "acts.0.chapters.1.title")],
    ids=["acts", "chapters"],
)
def test_of_a_list_of_mistakes_the_first_is_told(acts: list[Any], field: str, client: Any) -> None:
    body = json.dumps({"title": "x", "acts": acts}, separators=(",", ":"))
    answer = client.generic("POST", "/api/novels", body, content_type="application/json")
    assert answer.status_code == 400 and [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_chapter_that_is_listed_twice_is_named(client: APIClient) -> None:
    novel = make_novel(client)
    [act] = novel["acts"]
    acts = [{**act, "chapters": [act["chapters"][0], act["chapters"][0]]}]
    assert_refused(client.patch(f"/api/novels/{novel['novelId']}", {"acts": acts}), "duplicate_id", "acts.0.chapters.1.chapterId")


def test_the_answer_to_a_body_of_unknown_fields_is_short(client: APIClient) -> None:
    answer = client.post("/api/novels", {"title": "N", **{f"{number:x}": 0 for number in range(90_000)}})
    assert answer.status_code == 400
    assert len(answer.content) < 10_000


def test_a_chapter_with_scenes_cannot_be_left_out(client: APIClient) -> None:
    novel = make_novel(client)
    make_scene(client, novel)
    answer = client.patch(f"/api/novels/{novel['novelId']}", {"acts": []})
    assert answer.status_code == 409 and answer.json()["code"] == "chapter_not_empty"


def test_deleting_a_novel_cancels_its_unfinished_tasks(client: APIClient, alice: Any) -> None:
    novel, spared = make_novel(client), make_novel(client)
    submissions = [("generate-summary", {"sceneId": make_scene(client, n)["sceneId"]}) for n in (novel, spared)]
    doomed, kept = (mongo.run(operations.submit(str(alice.pk), *submission)).task_id for submission in submissions)
    assert client.delete(f"/api/novels/{novel['novelId']}").status_code == 204
    assert mongo.run(queries.get(doomed, user_id=None))["status"] == "CANCELLED"
    assert mongo.run(queries.get(kept, user_id=None))["status"] == "QUEUED"


def test_a_deletion_that_was_cut_off_can_be_repeated(client: APIClient, alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    novel = make_novel(client)
    task_id = mongo.run(operations.submit(str(alice.pk), "generate-summary", {"sceneId": make_scene(client, novel)["sceneId"]})).task_id
    cancel_all_about, lost = operations.cancel_all_about, [AutoReconnect("the connection broke")]

    async def cut_off_once(*args: Any) -> int:
        if lost:
            raise lost.pop()
        return await cancel_all_about(*args)

    monkeypatch.setattr(operations, "cancel_all_about", cut_off_once)
    assert client.delete(f"/api/novels/{novel['novelId']}").status_code == 503
    assert client.delete(f"/api/novels/{novel['novelId']}").status_code == 204
    assert mongo.run(queries.get(task_id, user_id=None))["status"] == "CANCELLED"


def upload(client: APIClient, **fields: Any) -> Any:
    return client.post("/api/novels/import", fields, format="multipart")


def test_a_file_becomes_a_novel(client: APIClient) -> None:
    answer = upload(client, file=SimpleUploadedFile("storm.txt", TEXT.encode()), title="My storm")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert set(made) == {"novelId", "chapterCount", "sceneCount"}
    assert (made["chapterCount"], made["sceneCount"]) == (2, 3)
    novel = client.get(answer["Location"]).json()
    assert novel["title"] == "My storm" and novel["novelId"] == made["novelId"]
    assert client.get(f"{answer['Location']}/scenes").json()["totalElements"] == 3


def test_a_chinese_file_in_gb18030_is_read(client: APIClient) -> None:
    text = "第一章 雨\n\n" + "雨下了一整天，海边的灯塔在雾里时隐时现。" * 20 + "\n\n第二章 风\n\n" + "风起来了，船还没有回来。" * 20
    made = upload(client, file=SimpleUploadedFile("灯塔.txt", text.encode("gb18030"))).json()
    assert made["chapterCount"] == 2


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "invalid_parameters"),
        ({"file": "text, not a file"}, 400, "invalid_parameters"),
        ({"file": SimpleUploadedFile("a.txt", b"x"), "author": "me"}, 400, "invalid_parameters"),
        ({"file": [SimpleUploadedFile("a.txt", b"x"), SimpleUploadedFile("b.txt", b"y")]}, 400, "invalid_parameters"),
        ({"file": SimpleUploadedFile("a.txt", b"x"), "title": ["a", "b"]}, 400, "invalid_parameters"),
        ({"file": SimpleUploadedFile("a.pdf", b"%PDF")}, 415, "unknown_format"),
        ({"file": SimpleUploadedFile("a.txt", b"")}, 400, "empty_file"),
        ({"file": SimpleUploadedFile("a.epub", b"no zip")}, 400, "broken_epub"),
        ({"file": SimpleUploadedFile("a.txt", b"\x00\x01\x02" * 100)}, 400, "binary_file"),
        ({"file": SimpleUploadedFile("a.txt", TEXT.encode()), "title": "x" * 201}, 400, "title_too_long"),
    ],
)
def test_a_file_that_is_no_novel_is_refused(client: APIClient, fields: Json, status: int, code: str) -> None:
    answer = upload(client, **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"], "which field is at fault"
    assert client.get("/api/novels").json()["empty"]


def test_a_file_of_more_than_20_mib_is_413(client: APIClient) -> None:
    for size in (20 * 1024 * 1024 + 1, 21 * 1024 * 1024):
        answer = upload(client, file=SimpleUploadedFile("a.txt", b"a" * size))
        assert answer.status_code == 413 and answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--b\r\n\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        b"no boundary at all",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nx',
        b'--b\r\nContent-Disposition: form-data; name="file"; filename*=a; filename*0=b\r\n\r\nx\r\n--b--',
    ],
)
def test_a_broken_form_is_400(client: Any, body: bytes) -> None:
    answer = client.generic("POST", "/api/novels/import", body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 400 and answer["Content-Type"] == "application/problem+json"


def test_an_import_that_is_no_form_is_415(client: APIClient) -> None:
    answer = client.post("/api/novels/import", {"file": "x"}, format="json")
    assert answer.status_code == 415


@pytest.mark.parametrize("charset", ["hex", "idna", "unicode_escape", "utf-16", "latin-1"])
def test_a_form_in_another_encoding_than_utf_8_is_415(client: Any, charset: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="\\ud800"\r\n\r\nx\r\n--b--'
    answer = client.generic("POST", "/api/novels/import", body, content_type=f"multipart/form-data; boundary=b; charset={charset}")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
