"""The app's start: profiles are read once, and an address that nothing uses is pointed out."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from ainoval.ai.apps import configured_profiles, unused_address


@dataclass(frozen=True)
class Env:
    ai_provider: str | None = None
    openai_base_url: str | None = None
    openai_api_key: str | None = None
    openai_model: str | None = None
    ai_profiles: str | None = None
    ai_max_concurrency: int = 0


def test_profiles_are_read_once_for_each_environment(settings: SimpleNamespace) -> None:
    settings.AINOVAL = Env()
    first = configured_profiles()
    assert configured_profiles() is first

    settings.AINOVAL = Env(openai_api_key="word")
    assert configured_profiles()["default"].provider == "openai"


def test_a_wrong_setting_stops_the_start(settings: SimpleNamespace) -> None:
    settings.AINOVAL = Env(ai_provider="openai")

    with pytest.raises(ImproperlyConfigured):
        apps.get_app_config("ai").ready()


@pytest.mark.parametrize(
    ("env", "warned"),
    [
        (Env(), False),
        (Env(openai_base_url="http://127.0.0.1:1/v1"), True),
        (Env(openai_base_url="http://127.0.0.1:1/v1", ai_provider="offline"), False),
        (Env(openai_base_url="http://127.0.0.1:1/v1", openai_api_key="word"), False),
    ],
)
def test_an_address_without_a_key_is_pointed_out(settings: SimpleNamespace, env: Env, warned: bool) -> None:
    settings.AINOVAL = env

    assert [message.id for message in unused_address(None)] == ["ai.W001"] * warned
