"""Profiles from the environment and from a file; every mistake is one clear line, and no line holds a key."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import SecretStr

from ainoval.ai.errors import UnknownProfile
from ainoval.ai.profiles import load_profiles

KEY = "sk-test-0011223344"


@dataclass(frozen=True)
class Env:
    ai_provider: str | None = None
    openai_base_url: str | None = None
    openai_api_key: SecretStr | str | None = None
    openai_model: str | None = None
    ai_profiles: Path | str | None = None
    ai_max_concurrency: int | None = None


def refusal(env: Env, **environ: str) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        load_profiles(env, environ)
    assert KEY not in str(caught.value)
    return str(caught.value)


def test_without_a_key_the_default_is_offline() -> None:
    default = load_profiles(Env(ai_max_concurrency=7))["default"]

    assert (default.provider, default.max_concurrency, default.api_key) == ("offline", 7, None)


def test_with_a_key_the_default_is_openai() -> None:
    default = load_profiles(Env(openai_api_key=SecretStr(KEY)))["default"]

    assert default.provider == "openai"
    assert default.base_url == "https://api.openai.com/v1"
    assert default.model
    assert default.api_key is not None and default.api_key.get_secret_value() == KEY
    assert KEY not in repr(default) and KEY not in str(default)


def test_the_environment_chooses_address_and_model() -> None:
    env = Env(openai_api_key=KEY, openai_base_url="http://127.0.0.1:8080/v1/", openai_model="qwen3", ai_max_concurrency=3)

    default = load_profiles(env)["default"]

    assert (default.base_url, default.model, default.max_concurrency) == ("http://127.0.0.1:8080/v1", "qwen3", 3)


def test_offline_can_be_chosen_although_there_is_a_key() -> None:
    assert load_profiles(Env(ai_provider="offline", openai_api_key=KEY))["default"].provider == "offline"


@pytest.mark.parametrize("address", [None, "http://127.0.0.1:8080/v1"])
@pytest.mark.parametrize("key", [None, "", "  "])
def test_openai_without_a_key_refuses_to_start(address: str | None, key: str | None) -> None:
    said = refusal(Env(ai_provider="openai", openai_base_url=address, openai_api_key=key))

    assert "AI_PROVIDER=openai needs OPENAI_API_KEY" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "address", ["api.example.org", "ftp://host/v1", "http://", "http://host:99999/v1", "http://[::1/v1", "https://host/v1?key=a", "https://host/#x"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert refusal(Env(openai_api_key=KEY, openai_base_url=address)).startswith("OPENAI_BASE_URL is not an address")


def test_an_address_with_credentials_is_refused_without_repeating_them() -> None:
    said = refusal(Env(openai_api_key=KEY, openai_base_url="https://user:hunter2@host/v1"))

    assert "OPENAI_BASE_URL must not hold" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("key", ["sk-密钥", "sk-a\nb"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    assert refusal(Env(openai_api_key=key)).startswith("OPENAI_API_KEY holds characters")


def test_an_unknown_provider_is_refused() -> None:
    assert refusal(Env(ai_provider="oracle")) == "AI_PROVIDER must be offline or openai."


def test_an_unknown_profile_is_an_error_with_a_code_that_ends_the_task() -> None:
    profiles = load_profiles(Env())

    for lookup in (lambda: profiles["nope"], lambda: profiles.resolve("nope")):
        with pytest.raises(UnknownProfile) as caught:
            lookup()
        assert (caught.value.code, caught.value.retryable) == ("unknown_ai_config", False)
        assert str(caught.value) == caught.value.message
    assert "nope" not in profiles
    assert profiles.get("nope") is None
    assert profiles.resolve(None).name == "default"


TOML = """
[profiles.deepseek]
provider = "openai"
model = "deepseek-chat"
base_url = "https://api.deepseek.com/v1"
api_key_env = "DEEPSEEK_KEY"
max_concurrency = 50
total_timeout_seconds = 120
extra_body = { enable_thinking = false }

[profiles.plain]
provider = "offline"
"""
JSON = '{"profiles": {"local": {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1", "api_key": "word", "temperature": 1}}}'


def test_profiles_come_from_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(TOML, encoding="utf-8")

    profiles = load_profiles(Env(ai_profiles=path), {"DEEPSEEK_KEY": f" {KEY}\n"})

    assert sorted(profiles) == ["deepseek", "default", "plain"]
    deepseek = profiles["deepseek"]
    assert (deepseek.name, deepseek.model, deepseek.max_concurrency, deepseek.total_timeout_seconds) == ("deepseek", "deepseek-chat", 50, 120)
    assert deepseek.api_key is not None and deepseek.api_key.get_secret_value() == KEY
    assert deepseek.extra_body == {"enable_thinking": False}
    assert profiles["plain"].provider == "offline"


def test_profiles_come_from_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "profiles.json"
    path.write_text(JSON, encoding="utf-8")

    local = load_profiles(Env(ai_profiles=str(path)), {})["local"]

    assert (local.provider, local.model, local.temperature) == ("openai", "m", 1)


def test_a_profile_without_a_limit_of_its_own_has_that_of_all(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(f'{TOML}\n[profiles.free]\nprovider = "offline"\nmax_concurrency = 0\n', encoding="utf-8")

    profiles = load_profiles(Env(ai_profiles=path, ai_max_concurrency=7), {"DEEPSEEK_KEY": KEY})

    assert {name: profile.max_concurrency for name, profile in profiles.items()} == {"default": 7, "plain": 7, "deepseek": 50, "free": 0}
    assert load_profiles(Env(ai_profiles=path), {"DEEPSEEK_KEY": KEY})["plain"].max_concurrency == 0


MISTAKES = {
    "an unknown key": ('provider = "offline"\nmodle = "x"', ".modle: is not a known key."),
    "no provider": ('model = "x"', ".provider: is missing."),
    "another provider": ('provider = "oracle"', ".provider: input should be 'offline' or 'openai'."),
    "a negative limit": ('provider = "offline"\nmax_concurrency = -1', ".max_concurrency: input should be greater than or equal to 0."),
    "a limit in words": ('provider = "offline"\nmax_concurrency = "5"', ".max_concurrency: input should be a valid integer."),
    "an endless time-out": ('provider = "offline"\ntotal_timeout_seconds = inf', ".total_timeout_seconds: input should be a finite number."),
    "two length limits": ('provider = "offline"\nmax_tokens = 5\nmax_completion_tokens = 5', ": max_tokens and max_completion_tokens exclude each other."),
    "no model": (f'provider = "openai"\napi_key = "{KEY}"', ": model is missing."),
    "no key": ('provider = "openai"\nmodel = "m"', ": api_key or api_key_env is missing."),
    "a key that is not set": ('provider = "openai"\nmodel = "m"\napi_key_env = "NOPE"', ".api_key_env: the environment has no NOPE."),
    "two keys": (f'provider = "openai"\nmodel = "m"\napi_key = "{KEY}"\napi_key_env = "NOPE"', ": api_key and api_key_env exclude each other."),
    "a body that is ours": ('provider = "offline"\nextra_body = {stream = false, n = 2}', ".extra_body: must not hold n, stream."),
    "credentials": (f'provider = "openai"\nmodel = "m"\napi_key = "{KEY}"\nbase_url = "https://a:{KEY}@h/v1"', ".base_url: must not hold a user name"),
}


@pytest.mark.parametrize(("entry", "words"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_in_a_file_is_one_line_that_names_its_place(tmp_path: Path, entry: str, words: str) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(f"[profiles.fast]\n{entry}\n", encoding="utf-8")

    said = refusal(Env(ai_profiles=path))

    assert said.startswith(f"AI_PROFILES ({path}): profiles.fast{words}")
    assert "\n" not in said


def test_several_mistakes_are_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text('[profiles.default]\nprovider = "offline"\n[profiles."a b"]\n[profiles.c]\nprovider = 5\nfoo = 1\n', encoding="utf-8")

    lines = refusal(Env(ai_profiles=path)).splitlines()

    assert len(lines) == 4
    assert "give this one another name" in lines[0]
    assert "a name has 1 to 64 letters" in lines[1]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.toml", "profiles = [", "is no valid TOML"),
        ("p.json", "{", "is no valid JSON"),
        ("p.json", '{"profiles": {}, "profiles": {}}', "a key appears twice"),
        ("p.json", "[]", "must hold one table, profiles"),
        ("p.json", '{"profiles": {}, "other": {}}', "must hold one table, profiles"),
        ("p.yaml", "profiles:", "must end in .toml or .json"),
        ("p.toml", None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")

    said = refusal(Env(ai_profiles=path))

    assert f"AI_PROFILES ({path})" in said and words in said
