"""What a submission may hold: names on the wire and JSON's types, as the published schema says, and nothing that only looks like them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from ainoval.api.openapi import json_schema
from ainoval.api.parsing import parse_json
from tasks_app.errors import InvalidParameters
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable, TaskModel
from tasks_app.operations import validate

ID = "5d3c5f4e-0000-4000-8000-000000000001"


class Mood(StrEnum):
    """Of a text."""

    CALM = "calm"


class Part(TaskModel):
    """A part of the parameters."""

    scene_id: str


class Many(TaskModel):
    """One parameter of each kind."""

    scene_id: str = ""
    auto_apply: bool = False
    target_words: int | None = None
    warmth: float = 1.0
    scene_ids: tuple[str, ...] = ()
    mood: Mood = Mood.CALM
    not_before: datetime | None = None
    novel: UUID | None = None
    first_part: Part | None = None


class Writes(TaskExecutable[Many, NoParameters]):
    """Write."""

    task_type = "UNIT_WRITES"

    async def execute(self, parameters: Many, ctx: TaskContext) -> NoParameters:
        return NoParameters()


SCHEMA = Draft202012Validator(json_schema(Many, "validation"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"scene_id": "s"}', "scene_id"),
        ('{"auto_apply": false}', "auto_apply"),
        ('{"firstPart": {"scene_id": "s"}}', "firstPart.scene_id"),
        ('{"sceneId": 1}', "sceneId"),
        ('{"autoApply": "yes"}', "autoApply"),
        ('{"autoApply": 0}', "autoApply"),
        ('{"targetWords": "600"}', "targetWords"),
        ('{"targetWords": true}', "targetWords"),
        ('{"targetWords": 600.5}', "targetWords"),
        ('{"warmth": "1"}', "warmth"),
        ('{"sceneIds": "ab"}', "sceneIds"),
        ('{"mood": "CALM"}', "mood"),
    ],
)
def test_what_the_schema_forbids_is_refused_with_the_fields_name(body: str, field: str) -> None:
    parameters = parse_json(body.encode())
    assert not SCHEMA.is_valid(parameters)
    with pytest.raises(InvalidParameters) as refused:
        validate(Writes(), parameters)
    assert field in {error["field"] for error in refused.value.errors}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"sceneId": "s", "autoApply": true}', Many(scene_id="s", auto_apply=True)),
        ('{"targetWords": 105.0, "warmth": 2}', Many(target_words=105, warmth=2.0)),
        ('{"warmth": 0.1}', Many(warmth=0.1)),
        ('{"sceneIds": ["a", "b"]}', Many(scene_ids=("a", "b"))),
        ('{"mood": "calm", "notBefore": "2026-11-20T10:30:00Z"}', Many(not_before=datetime(2026, 11, 20, 10, 30, tzinfo=UTC))),
        (f'{{"novel": "{ID}"}}', Many(novel=UUID(ID))),
        ('{"firstPart": {"sceneId": "s"}, "targetWords": null}', Many(first_part=Part(scene_id="s"))),
    ],
)
def test_what_the_schema_allows_is_taken(body: str, found: Many) -> None:
    parameters = parse_json(body.encode())
    assert SCHEMA.is_valid(parameters)
    assert validate(Writes(), parameters) == found


def test_a_program_may_pass_its_own_values() -> None:
    given: dict[str, Any] = {"sceneIds": ("a", "b"), "mood": Mood.CALM, "notBefore": datetime(2026, 11, 20, tzinfo=UTC), "novel": UUID(ID)}
    assert validate(Writes(), given) == Many(scene_ids=("a", "b"), not_before=given["notBefore"], novel=UUID(ID))
