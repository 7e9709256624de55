"""Background tasks over HTTP: submit, list, read, cancel, apply, run again."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from rest_framework.test import APIClient

from ainoval import mongo
from ainoval.ids import new_id
from tasks_app.documents import TASKS
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable
from tests.support.registered import registered

Api = Callable[[Any], Any]
Json = dict[str, Any]

SUMMARY = {
    "taskId", "taskType", "status", "progress", "waitingReason", "parentId", "attempt", "maxAttempts", "createdAt", "updatedAt", "startedAt", "completedAt"
}  # fmt: skip
DETAILS = SUMMARY | {
    "parameters", "result", "errorInfo", "attempts", "children", "usage", "appliedAt", "availableAt", "cancelRequestedAt", "priority"
}  # fmt: skip


@pytest.fixture
def client(api: Api, alice: Any) -> Any:
    return api(alice)


@pytest.fixture
def novel(client: APIClient) -> Json:
    """A novel of alice's with one chapter."""
    made: Json = client.post("/api/novels", {"title": "N", "acts": [{"title": "", "chapters": [{"title": "One"}]}]}).json()
    return made


@pytest.fixture
def scene(client: APIClient, novel: Json) -> Json:
    """A scene of it, with a text."""
    chapter = novel["acts"][0]["chapters"][0]["chapterId"]
    made: Json = client.post(f"/api/novels/{novel['novelId']}/scenes", {"chapterId": chapter, "content": "It rained. The boat came late."}).json()
    return made


def submit(client: APIClient, scene: Json, **headers: str) -> str:
    answer = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]}, headers=headers)
    assert answer.status_code == 202, answer.content
    return str(answer.json()["taskId"])


def assert_refused(answer: Any, code: str, field: str) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, code)
    assert problem["errors"] == [{"field": field, "message": problem["detail"]}]


def store(task_id: str, **fields: Any) -> None:
    """Put a task into a state that only workers bring about."""

    async def update() -> None:
        await mongo.database()[TASKS].update_one({"_id": task_id}, {"$set": fields})

    mongo.run(update())


def test_a_submission_is_stored_and_answered_at_once(client: APIClient, scene: Json) -> None:
    answer = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]})
    assert answer.status_code == 202 and set(answer.json()) == {"taskId"}
    assert answer["Location"] == f"/api/tasks/{answer.json()['taskId']}"
    assert "Idempotency-Replayed" not in answer
    task = client.get(answer["Location"]).json()
    assert set(task) == DETAILS
    assert (task["status"], task["taskType"], task["attempt"], task["result"]) == ("QUEUED", "GENERATE_SUMMARY", 0, None)
    assert task["parameters"]["sceneId"] == scene["sceneId"] and task["parameters"]["overwriteExisting"] is True
    assert task["progress"] == {"percentage": 0, "message": None, "current": None, "total": None}
    assert task["waitingReason"]["code"] == "no_worker" and task["waitingReason"]["position"] == 1
    assert task["createdAt"].endswith("Z") and task["startedAt"] is None


@pytest.mark.parametrize("name", ["GENERATE_SUMMARY", "generate-summary"])
def test_a_type_is_named_as_stored_or_in_kebab_case(name: str, client: APIClient, scene: Json) -> None:
    assert client.post(f"/api/tasks/{name}", {"sceneId": scene["sceneId"]}).status_code == 202


@pytest.mark.parametrize("name", ["generate_summary", "Generate-Summary", "GENERATE-SUMMARY", "nonsense", "%00", "é", "a" * 500])
def test_any_other_name_is_an_unknown_type(name: str, client: APIClient, scene: Json) -> None:
    answer = client.post(f"/api/tasks/{name}", {"sceneId": scene["sceneId"]})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_task_type")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "sceneId"),
        ({"sceneId": 1}, "sceneId"),
        ({"sceneId": None}, "sceneId"),
        ({"sceneId": "x" * 24, "more": 1}, "more"),
        ({"scene_id": "x" * 24}, "scene_id"),
        ({"sceneId": "x" * 24, "auto_apply": True}, "auto_apply"),
        ({"sceneId": "x" * 24, "autoApply": "perhaps"}, "autoApply"),
        ({"sceneId": "x" * 24, "autoApply": "yes"}, "autoApply"),
        ({"sceneId": "x" * 24, "autoApply": 1}, "autoApply"),
        ({"sceneId": "x" * 24, "overwriteExisting": "off"}, "overwriteExisting"),
        ([], "body"),
        ("x", "body"),
    ],
)
def test_parameters_that_do_not_fit_are_named(body: object, field: str, client: APIClient) -> None:
    answer = client.post("/api/tasks/generate-summary", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert field in {error["field"] for error in answer.json()["errors"]}


def test_a_scene_of_somebody_else_is_as_missing_as_one_that_never_was(client: APIClient, api: Api, bob: Any, scene: Json) -> None:
    answers = [api(bob).post("/api/tasks/generate-summary", {"sceneId": name}) for name in (scene["sceneId"], new_id(), "nonsense")]
    assert {answer.status_code for answer in answers} == {404} and answers[0].json()["code"] == "scene_not_found"
    assert len({answer.content for answer in answers}) == 1


def test_an_unknown_ai_profile_is_400(client: APIClient, scene: Json) -> None:
    answer = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"], "aiConfigId": "https://evil.example"})
    assert_refused(answer, "unknown_ai_config", "aiConfigId")


def test_a_range_that_ends_before_it_starts_is_400(client: APIClient) -> None:
    chapters = [{"title": "One"}, {"title": "Two"}]
    novel = client.post("/api/novels", {"title": "N", "acts": [{"title": "", "chapters": chapters}]}).json()
    first, second = (chapter["chapterId"] for chapter in novel["acts"][0]["chapters"])
    answer = client.post("/api/tasks/batch-generate-summary", {"novelId": novel["novelId"], "startChapterId": second, "endChapterId": first})
    assert_refused(answer, "end_before_start", "endChapterId")


def test_an_idempotency_key_makes_one_task(client: APIClient, api: Api, bob: Any, scene: Json) -> None:
    body = {"sceneId": scene["sceneId"]}
    first, again = (client.post("/api/tasks/generate-summary", body, headers={"Idempotency-Key": "key 1"}) for _ in range(2))
    assert again.status_code == 202 and again.json() == first.json() and again["Location"] == first["Location"]
    assert "Idempotency-Replayed" not in first and again["Idempotency-Replayed"] == "true"
    with_defaults = client.post("/api/tasks/GENERATE_SUMMARY", {**body, "autoApply": False}, headers={"Idempotency-Key": "key 1"})
    assert with_defaults.json() == first.json(), "compared after validation"
    other = client.post("/api/tasks/generate-summary", {**body, "autoApply": True}, headers={"Idempotency-Key": "key 1"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert submit(client, scene, **{"Idempotency-Key": "key 2"}) != first.json()["taskId"]


@pytest.mark.django_db(transaction=True)
def test_twenty_submissions_with_one_key_at_once_make_one_task(client: APIClient, scene: Json, api: Api, alice: Any) -> None:
    def send(_: int) -> tuple[int, str]:
        try:
            answer = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]}, headers={"Idempotency-Key": "k"})
            return answer.status_code, answer.json().get("taskId")
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(send, range(20)))
    assert {status for status, _ in answers} == {202} and len({task_id for _, task_id in answers}) == 1
    assert client.get("/api/tasks").json()["totalElements"] == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel", "a\tb", "\x7f"])
def test_an_idempotency_key_is_1_to_255_printable_ascii(key: str, client: APIClient, scene: Json) -> None:
    answer = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]}, headers={"Idempotency-Key": key})
    assert_refused(answer, "invalid_idempotency_key", "Idempotency-Key")
    assert client.get("/api/tasks").json()["empty"]
    assert submit(client, scene, **{"Idempotency-Key": "~" * 255})


def test_limits_are_429_with_retry_after_and_a_replay_is_answered_before_them(client: APIClient, scene: Json, settings: Any) -> None:
    settings.AINOVAL = settings.AINOVAL.model_copy(update={"tasks_max_queued_per_user": 1})
    first = submit(client, scene, **{"Idempotency-Key": "k"})
    full = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]})
    assert (full.status_code, full.json()["code"]) == (429, "queue_full") and int(full["Retry-After"]) >= 1
    assert submit(client, scene, **{"Idempotency-Key": "k"}) == first

    settings.AINOVAL = settings.AINOVAL.model_copy(update={"tasks_max_queued_per_user": 100, "tasks_submit_rate": 2})
    statuses = [client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]}) for _ in range(4)]
    limited = [answer for answer in statuses if answer.status_code == 429]
    assert limited and limited[-1].json()["code"] == "submit_rate" and int(limited[-1]["Retry-After"]) >= 1


# --- reading ---


def test_another_users_task_a_missing_one_and_a_malformed_id_get_the_same_404(client: APIClient, api: Api, bob: Any, scene: Json) -> None:
    task_id = submit(client, scene)
    other = api(bob)
    for ask in (
        other.get,
        other.delete,
        lambda address: other.post(f"{address}/apply"),
        lambda address: other.post(f"{address}/retry"),
    ):
        answers = [ask(f"/api/tasks/{name}") for name in (task_id, new_id(), "nonsense", "$ne", "%00", "é", "a" * 300, "%7B%7D", task_id.upper())]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.content for answer in answers} == {answers[0].content} and answers[0].json()["code"] == "task_not_found"
        assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1, "nor do the headers tell"
    assert client.get(f"/api/tasks/{task_id}").json()["status"] == "QUEUED"


def test_the_list_has_ones_own_tasks_newest_first(client: APIClient, api: Api, bob: Any, scene: Json) -> None:
    ids = [submit(client, scene) for _ in range(3)]
    page = client.get("/api/tasks?size=2").json()
    assert [task["taskId"] for task in page["content"]] == ids[:0:-1]
    assert set(page["content"][0]) == SUMMARY
    assert {key: page[key] for key in page if key != "content"} == {
        "number": 0, "size": 2, "totalElements": 3, "totalPages": 2, "numberOfElements": 2, "first": True, "last": False, "empty": False
    }  # fmt: skip
    last = client.get("/api/tasks?size=2&page=1").json()
    assert [task["taskId"] for task in last["content"]] == ids[:1] and last["last"] is True
    past = client.get("/api/tasks?size=2&page=9").json()
    assert past["empty"] and past["last"] and past["totalElements"] == 3
    assert [task["taskId"] for task in client.get("/api/tasks?sortDir=asc&sortBy=createdAt").json()["content"]] == ids
    assert api(bob).get("/api/tasks").json()["totalElements"] == 0


def test_the_list_is_filtered_by_status_type_and_parent(client: APIClient, scene: Json) -> None:
    queued, failed, child = (submit(client, scene) for _ in range(3))
    store(failed, status="FAILED")
    store(child, parentId=failed, lane=1)

    def found(query: str) -> set[str]:
        answer = client.get(f"/api/tasks?{query}")
        assert answer.status_code == 200, answer.content
        return {task["taskId"] for task in answer.json()["content"]}

    assert found("") == {queued, failed}
    assert found("includeChildren=true") == {queued, failed, child}
    assert found(f"parentId={failed}") == {child} and found("parentId=nonsense") == set()
    assert found("status=FAILED") == {failed}
    assert found(f"parentId={failed}&sortBy=updatedAt") == {child}
    assert found("status=FAILED,QUEUED") == found("status=FAILED&status=QUEUED") == {queued, failed}
    assert found("taskType=generate-summary") == found("taskType=GENERATE_SUMMARY") == {queued, failed}
    assert found("taskType=NO_LONGER_KNOWN") == set()
    assert found("unknown=1&format=xml&lang=x") == {queued, failed}


@pytest.mark.parametrize(
    "query",
    [
        "page=-1",
        "page=1&page=1",
        "size=0",
        "size=101",
        "size=%2B5",
        "page=1_0",
        "page=%D9%A1",
        "page=",
        "status=",
        "status=queued",
        "status=QUEUED,",
        "status=A&status=B",
        "sortBy=status",
        "sortBy=$x",
        "sortBy=",
        "sortDir=up",
        "sortDir=DESC",
        "includeChildren=1",
        "parentId=",
        "parentId=a&parentId=b",
        "taskType=",
        "parentId=%00",
    ],
)
def test_a_query_parameter_that_does_not_fit_is_400(query: str, client: APIClient) -> None:
    answer = client.get(f"/api/tasks?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert answer.json()["errors"][0]["field"] == query.split("=")[0]


def test_a_page_too_deep_is_400(client: APIClient) -> None:
    assert_refused(client.get("/api/tasks?page=5000"), "page_too_deep", "page")
    assert client.get("/api/tasks?page=999&size=100").status_code == 200


class Renamed(TaskExecutable[NoParameters, NoParameters]):
    """Had another name."""

    task_type = "API_NEW_NAME"
    aliases = ("API_OLD_NAME",)

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        return NoParameters()


def test_a_renamed_type_is_listed_under_all_its_names_by_each_of_them(client: APIClient, scene: Json) -> None:
    old, new, other = (submit(client, scene) for _ in range(3))
    store(old, taskType="API_OLD_NAME")
    store(new, taskType="API_NEW_NAME")

    def found(name: str) -> set[str]:
        return {task["taskId"] for task in client.get("/api/tasks", {"taskType": name}).json()["content"]}

    with registered(Renamed):
        assert found("API_OLD_NAME") == found("API_NEW_NAME") == found("api-new-name") == {old, new}
        assert found("GENERATE_SUMMARY") == {other}
    assert found("API_OLD_NAME") == {old}, "a type that was removed"


def test_the_types_come_with_their_schemas(client: APIClient) -> None:
    types = {entry["taskType"]: entry for entry in client.get("/api/tasks/types").json()}
    assert {"GENERATE_SUMMARY", "GENERATE_SCENE", "BATCH_GENERATE_SUMMARY", "BATCH_GENERATE_SCENE"} <= set(types)
    summary = types["GENERATE_SUMMARY"]
    assert summary["path"] == "/api/tasks/generate-summary" and summary["description"]
    assert summary["parameters"]["required"] == ["sceneId"] and "autoApply" in summary["parameters"]["properties"]
    assert "sceneVersion" in summary["result"]["properties"]
    for entry in types.values():
        Draft202012Validator.check_schema(entry["parameters"])
        Draft202012Validator.check_schema(entry["result"])


# --- cancel, run again, apply ---


def test_a_waiting_task_is_cancelled_at_once_and_only_once(client: APIClient, scene: Json) -> None:
    task_id = submit(client, scene)
    answer = client.delete(f"/api/tasks/{task_id}")
    assert answer.status_code == 202 and set(answer.json()) == SUMMARY and answer.json()["status"] == "CANCELLED"
    again = client.delete(f"/api/tasks/{task_id}")
    assert (again.status_code, again.json()["code"]) == (409, "already_ended")


def test_a_running_task_is_asked_to_stop_as_often_as_one_likes(client: APIClient, scene: Json) -> None:
    task_id = submit(client, scene)
    store(task_id, status="RUNNING", lease={"owner": "w", "token": "t"}, attempt=1)
    for _ in range(2):
        answer = client.delete(f"/api/tasks/{task_id}")
        assert answer.status_code == 202 and answer.json()["status"] == "CANCELLING"


@pytest.mark.parametrize("status", ["COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELLED", "INTERRUPTED"])
def test_an_ended_task_cannot_be_cancelled(status: str, client: APIClient, scene: Json) -> None:
    task_id = submit(client, scene)
    store(task_id, status=status)
    assert client.delete(f"/api/tasks/{task_id}").status_code == 409
    assert client.get(f"/api/tasks/{task_id}").json()["status"] == status


def test_a_cancelled_task_runs_again_on_request(client: APIClient, scene: Json) -> None:
    task_id = submit(client, scene)
    early = client.post(f"/api/tasks/{task_id}/retry")
    assert (early.status_code, early.json()["code"]) == (409, "not_requeueable")
    client.delete(f"/api/tasks/{task_id}")
    answer = client.post(f"/api/tasks/{task_id}/retry", {})
    assert answer.status_code == 202 and answer.json()["status"] == "QUEUED" and answer.json()["completedAt"] is None
    assert client.post(f"/api/tasks/{task_id}/retry", {"parameters": {}}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_of_twenty_requests_to_run_again_one_succeeds(client: APIClient, scene: Json) -> None:
    task_id = submit(client, scene)
    client.delete(f"/api/tasks/{task_id}")

    def retry(_: int) -> int:
        try:
            return int(client.post(f"/api/tasks/{task_id}/retry").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(retry, range(20))) == [202] + [409] * 19


def test_a_child_is_run_again_through_its_parent(client: APIClient, scene: Json) -> None:
    parent, child = submit(client, scene), submit(client, scene)
    store(child, parentId=parent, lane=1, status="FAILED")
    answer = client.post(f"/api/tasks/{child}/retry")
    assert (answer.status_code, answer.json()["code"], answer.json()["parentId"]) == (409, "requeue_the_parent", parent)


def completed(client: APIClient, scene: Json) -> str:
    task_id = submit(client, scene)
    result = {"sceneId": scene["sceneId"], "summary": "Rain, and a late boat.", "sceneVersion": scene["version"], "applied": False, "conflict": False,
              "skipped": False, "provider": "offline", "model": "extractive"}  # fmt: skip
    store(task_id, status="COMPLETED", result=result)
    return task_id


def test_a_result_is_applied_once(client: APIClient, scene: Json) -> None:
    task_id = completed(client, scene)
    answer = client.post(f"/api/tasks/{task_id}/apply")
    assert answer.status_code == 200, answer.content
    applied = answer.json()
    assert set(applied) == {"taskId", "sceneId", "version", "appliedAt"}
    assert (applied["sceneId"], applied["version"]) == (scene["sceneId"], 2)
    assert client.get(f"/api/scenes/{scene['sceneId']}").json()["summary"] == "Rain, and a late boat."
    assert client.get(f"/api/tasks/{task_id}").json()["appliedAt"] == applied["appliedAt"]
    again = client.post(f"/api/tasks/{task_id}/apply", {"force": True})
    assert (again.status_code, again.json()["code"]) == (409, "already_applied")


def test_a_scene_that_changed_is_overwritten_by_force_only(client: APIClient, scene: Json) -> None:
    task_id = completed(client, scene)
    client.patch(f"/api/scenes/{scene['sceneId']}", {"version": 1, "content": "It snowed."})
    refused = client.post(f"/api/tasks/{task_id}/apply", {"force": False})
    assert refused.status_code == 409
    assert {key: refused.json()[key] for key in ("code", "expectedVersion", "currentVersion")} == {
        "code": "scene_changed",
        "expectedVersion": 1,
        "currentVersion": 2,
    }
    forced = client.post(f"/api/tasks/{task_id}/apply", {"force": True})
    assert forced.status_code == 200 and forced.json()["version"] == 3
    assert client.get(f"/api/scenes/{scene['sceneId']}").json()["content"] == "It snowed."


def test_what_cannot_be_applied_says_why(client: APIClient, scene: Json, novel: Json) -> None:
    bodies: list[Any] = [{"force": 1}, {"force": None}, {"forced": True}, []]
    waiting, done = submit(client, scene), completed(client, scene)
    assert client.post(f"/api/tasks/{waiting}/apply").json()["code"] == "not_completed"
    for body in bodies:
        assert client.post(f"/api/tasks/{done}/apply", body).status_code == 400
    client.delete(f"/api/novels/{novel['novelId']}")
    gone = client.post(f"/api/tasks/{done}/apply")
    assert (gone.status_code, gone.json()["code"]) == (409, "target_gone")


@pytest.mark.parametrize("fields", [{"parameters": {"scene": "old"}}, {"result": {"summary": "My secret text."}}, {"result": None}])
def test_what_no_longer_fits_its_model_is_not_applied(fields: Json, client: APIClient, scene: Json) -> None:
    task_id = completed(client, scene)
    store(task_id, **fields)
    answer = client.post(f"/api/tasks/{task_id}/apply")
    assert (answer.status_code, answer.json()["code"]) == (409, "unreadable_result")
    assert b"secret" not in answer.content
    assert client.get(f"/api/tasks/{task_id}").json()["appliedAt"] is None


def test_details_never_show_what_only_staff_may_see(client: APIClient, scene: Json) -> None:
    task_id = submit(client, scene)
    error = {"code": "boom", "message": "It broke.", "details": None, "retryable": False, "retryCount": 0, "traceback": "Traceback: /srv/secret"}
    at = datetime.now(UTC)
    attempt = {"attempt": 1, "token": "secret", "startedAt": at, "endedAt": at, "outcome": "failed", "worker": "secret-host", "error": error}
    store(task_id, status="FAILED", errorInfo=error, attempts=[attempt], lease={"owner": "w", "token": "secret"}, draft={"text": "secret"})
    answer = client.get(f"/api/tasks/{task_id}")
    assert [entry["outcome"] for entry in answer.json()["attempts"]] == ["failed"]
    assert b"secret" not in answer.content
    assert json.loads(answer.content)["errorInfo"] == {"code": "boom", "message": "It broke.", "details": None, "retryable": False, "retryCount": 0}
