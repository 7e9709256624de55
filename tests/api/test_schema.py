"""The OpenAPI document: valid, complete, and true."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError

from ainoval.api import schema
from tasks_app import registry
from tasks_app.operations import apply

Api = Callable[[Any], Any]
Json = dict[str, Any]

pytestmark = pytest.mark.usefixtures("database_name", "db_access")


@pytest.fixture
def document() -> Json:
    schema.document.cache_clear()
    answer = Client().get("/api/schema")
    assert answer.status_code == 200 and answer["Content-Type"] == "application/json"
    loaded: Json = json.loads(answer.content)
    return loaded


def test_the_document_is_valid_openapi_3_1(document: Json) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.parametrize("query", ["version=%0a", "version=2", "lang=%00", "lang=zh-hans", "format=yaml"])
def test_the_document_is_the_same_whatever_is_asked_for(document: Json, query: str) -> None:
    answer = Client().get(f"/api/schema?{query}", headers={"Accept-Language": "zh-hans"})
    assert answer.status_code == 200 and json.loads(answer.content) == document


def test_the_document_is_generated_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = 0, []

    def generate(generator: SchemaGenerator, public: bool) -> Json:
        nonlocal inside
        inside += 1
        most.append(inside)
        time.sleep(0.05)
        inside -= 1
        return {"openapi": "3.1.0"}

    monkeypatch.setattr(SchemaGenerator, "get_schema", generate)
    schema.document.cache_clear()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: Client().get("/api/schema").status_code, range(4)))
    schema.document.cache_clear()
    assert answers == [200] * 4 and most == [1]


def test_no_two_paths_have_the_same_shape(document: Json) -> None:
    shapes = [re.sub(r"\{[^}]*\}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes))
    assert "/api/tasks/{taskId}" in document["paths"] and "/api/tasks/{taskType}" not in document["paths"]
    assert "post" not in document["paths"]["/api/tasks/{taskId}"]


def test_every_task_type_has_a_path_with_its_own_parameters(document: Json) -> None:
    for executable in registry.all_types():
        path = document["paths"][f"/api/tasks/{executable.task_type.lower().replace('_', '-')}"]
        operation = path["post"]
        assert operation["tags"] == ["Background Tasks"]
        body = operation["requestBody"]["content"]
        assert list(body) == ["application/json"]
        name = executable.Parameters.__name__
        assert body["application/json"]["schema"] == {"$ref": f"#/components/schemas/{name}"}
        assert {"202", "400", "404", "409", "413", "415", "429"} <= set(operation["responses"])
        assert executable.Result.__name__ in operation["description"] and executable.Result.__name__ in document["components"]["schemas"]


def test_a_body_is_required_where_its_schema_requires_fields(document: Json) -> None:
    forms = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
                body = media["schema"]
                body = document["components"]["schemas"][body["$ref"].rpartition("/")[2]] if "$ref" in body else body
                assert operation["requestBody"].get("required", False) == bool(body.get("required")), (method, path)
                forms += media_type == "multipart/form-data"
    assert forms == 1, "the import's"


def test_parameters_with_defaults_are_optional(document: Json) -> None:
    summary = document["components"]["schemas"]["GenerateSummaryParameters"]
    assert summary["required"] == ["sceneId"] and summary["additionalProperties"] is False
    assert summary["properties"]["autoApply"]["default"] is False


def test_examples_fit_their_models(document: Json) -> None:
    checked = 0
    for operations in document["paths"].values():
        for operation in operations.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                for example in media.get("examples", {}).values():
                    validator = Draft202012Validator({**media["schema"], "components": document["components"]})
                    validator.validate(example["value"])
                    checked += 1
    assert checked >= len(registry.all_types()), "each task type has one"


ID = "0" * 24
ENDS = {"startChapterId": ID, "endChapterId": ID}
TOGETHER = [
    (
        "BatchGenerateSummaryParameters",
        [{"sceneIds": [ID]}, ENDS, {**ENDS, "sceneIds": None}],
        [{}, {"sceneIds": None}, {"startChapterId": ID}, {**ENDS, "sceneIds": [ID]}],
    ),
    (
        "GenerateSceneParameters",
        [{"sceneId": ID}, {"chapterId": ID, "summary": "s"}],
        [{}, {"chapterId": ID}, {"sceneId": ID, "summary": "s"}, {"sceneId": None}],
    ),
]


@pytest.mark.parametrize(("name", "fitting", "others"), TOGETHER, ids=[name for name, *_ in TOGETHER])
def test_which_parameters_go_together_is_described_as_it_is_checked(document: Json, name: str, fitting: list[Json], others: list[Json]) -> None:
    model = next(executable.Parameters for executable in registry.all_types() if executable.Parameters.__name__ == name)
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})
    for body, fits in [*((body, True) for body in fitting), *((body, False) for body in others)]:
        assert validator.is_valid({"novelId": ID, **body}) == fits, body
        if fits:
            model.model_validate({"novelId": ID, **body})
        else:
            with pytest.raises(ValidationError):
                model.model_validate({"novelId": ID, **body})


def test_every_operation_describes_its_errors_as_problems(document: Json) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if status == "default" or int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, method, status)
            assert operation.get("summary"), (path, method)


def test_headers_that_come_with_a_status_are_described(document: Json) -> None:
    named = {"201": "Location", "429": "Retry-After", "503": "Retry-After"}
    found = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if name := named.get(status):
                    assert name in answer.get("headers", {}), (path, method, status)
                    found.add(status)
    assert found == named.keys()


def test_every_reason_not_to_apply_a_result_is_named(document: Json) -> None:
    reasons = document["paths"]["/api/tasks/{taskId}/apply"]["post"]["responses"]["409"]["description"]
    [line] = re.findall(r"ApplyRefused: (.*)", apply.__doc__ or "")
    codes = re.findall(r"`(\w+)`", line)
    assert len(codes) >= 6 and all(re.search(rf"\b{code}\b", reasons) for code in [*codes, "scene_changed"])


def test_only_tokens_and_health_are_open(document: Json) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    open_paths = {path for path, operations in document["paths"].items() for operation in operations.values() if {} in operation.get("security", [{}])}
    assert open_paths == {"/api/auth/token", "/api/auth/token/refresh", "/health/live", "/health/ready"}


def test_answers_are_as_described(document: Json, api: Api, alice: Any) -> None:
    client = api(alice)
    novel = client.post("/api/novels", {"title": "N", "acts": [{"title": "", "chapters": [{"title": "One"}]}]}).json()
    scenes = f"/api/novels/{novel['novelId']}/scenes"
    scene = client.post(scenes, {"chapterId": novel["acts"][0]["chapters"][0]["chapterId"], "content": "It rained."}).json()
    task_id = client.post("/api/tasks/generate-summary", {"sceneId": scene["sceneId"]}).json()["taskId"]
    for path, address in {
        "/api/novels": "/api/novels",
        "/api/novels/{novelId}": f"/api/novels/{novel['novelId']}",
        "/api/novels/{novelId}/scenes": scenes,
        "/api/scenes/{sceneId}": f"/api/scenes/{scene['sceneId']}",
        "/api/tasks": "/api/tasks",
        "/api/tasks/types": "/api/tasks/types",
        "/api/tasks/{taskId}": f"/api/tasks/{task_id}",
        "/health/live": "/health/live",
        "/health/ready": "/health/ready",
    }.items():
        answer = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator({**answer, "components": document["components"]}).validate(client.get(address).json())
    missing = document["paths"]["/api/tasks/{taskId}"]["get"]["responses"]["404"]["content"]["application/problem+json"]["schema"]
    Draft202012Validator({**missing, "components": document["components"]}).validate(client.get("/api/tasks/x").json())


def test_the_page_of_the_document_loads_nothing_from_elsewhere() -> None:
    page = Client().get(reverse("docs"), headers={"Accept": "text/html"})
    assert page.status_code == 200 and page["Content-Type"].startswith("text/html")
    html = page.content.decode()
    assert "://" not in html, "no CDN"
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", html), "no inline script"
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
        assert finders.find(address.removeprefix("/static/")), address
    script = re.search(r'src="(/api/docs\?script=?)"', html)
    assert script and b"/api/schema" in Client().get(script[1]).content.replace(b"\\u002D", b"-")
