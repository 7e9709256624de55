"""docs/configuration.md is the environment: the same names, defaults and ranges as `Environment`, the same keys as a profile."""

import re
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from ainoval.ai.profile import ProfileOptions
from ainoval.env import Environment, read_environment
from tests.docs.pages import page, pages

ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|([^|]*)\|([^|]*)\|", re.MULTILINE)
SETTING = re.compile(r"\b(?:TASKS|AINOVAL|AI|OPENAI|DJANGO|JWT|MONGODB|DATABASE)_[A-Z0-9_]*[A-Z0-9]\b")
NOT_OURS = {"DJANGO_SETTINGS_MODULE"}  # Django's own


def documented() -> dict[str, tuple[str, str]]:
    """Each setting's default and range, as the page has them."""
    rows = ROW.findall(page("docs/configuration.md").text)
    assert len({name for name, *_ in rows}) == len(rows), "a setting is described twice"
    return {name: (default.strip(), limits.strip()) for name, default, limits in rows}


def test_the_page_has_exactly_the_settings_that_exist() -> None:
    assert sorted(documented()) == sorted(name.upper() for name in Environment.model_fields)


@pytest.mark.parametrize("name", sorted(Environment.model_fields))
def test_default_and_range_are_those_of_the_code(name: str) -> None:
    field = Environment.model_fields[name]
    assert documented()[name.upper()] == (_default(name, field), _range(field))


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_defaults_in_the_readme_are_those_of_the_page(name: str) -> None:
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \| (`[^`|]+`)", page(name).text, re.MULTILINE)
    assert len(rows) >= 6
    assert dict(rows) == {setting: documented()[setting][0] for setting, _ in rows}


@pytest.mark.parametrize("each", pages(), ids=lambda each: each.name)
def test_every_setting_that_a_page_names_exists(each: Any) -> None:
    named = {match[0] for code in each.code for match in SETTING.finditer(code)}
    assert named - {name.upper() for name in Environment.model_fields} - NOT_OURS == set()


def test_the_keys_of_a_profile_are_those_of_the_code() -> None:
    section = page("docs/configuration.md").text.partition("| Key |")[2].partition("\n\n")[0]
    keys = {key for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    assert keys == {*ProfileOptions.model_fields, "api_key_env"}


def test_the_profiles_of_the_example_can_be_loaded(tmp_path: Path) -> None:
    from ainoval.ai.profiles import load_profiles

    example = next(block for block in page("docs/configuration.md").blocks if block.language == "toml")
    file = tmp_path / "profiles.toml"
    file.write_text(example.text)
    env = read_environment({"AI_PROFILES": str(file), "AINOVAL_DATA_DIR": str(tmp_path)})
    profiles = load_profiles(env, {"DEEPSEEK_API_KEY": "sk-example"})
    assert set(profiles) == {"default", "deepseek", "local"}


def test_the_environment_of_the_example_is_accepted() -> None:
    example = next(block for block in page("docs/operations.md").blocks if block.text.startswith("DJANGO_SECRET_KEY="))
    lines = (line.partition("=") for line in example.text.splitlines())
    env = read_environment({name: value.strip("'") for name, _, value in lines})
    assert env.mongodb_uri is not None


def _default(name: str, field: FieldInfo) -> str:
    match field.default_factory, field.default:
        case None, None:
            return "unset"
        case None, ():
            return "empty"
        case None, bool() as flag:
            return f"`{str(flag).lower()}`"
        case None, value:
            return f"`{value}`"
    return {"tasks_workers": "number of CPUs", "tasks_type_limits": "empty"}[name]


def _range(field: FieldInfo) -> str:
    least = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
    most = next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
    above = next((limit.gt for limit in field.metadata if isinstance(limit, Gt)), None)
    if above is not None:
        return f"above {above}, up to {most}"
    if least is None:
        return ""
    return f"{least} to {most}"
