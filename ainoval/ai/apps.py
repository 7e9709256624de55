"""The app: wrong AI settings stop the start; a base URL that nothing uses is pointed out by `manage.py check`."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from ainoval.ai.profiles import DEFAULT, Profiles, load_profiles

_loaded: tuple[object, Profiles] | None = None


def configured_profiles() -> Profiles:
    """Return the profiles of `settings.AINOVAL`, read once for each such object."""
    global _loaded
    env = settings.AINOVAL
    if _loaded is None or _loaded[0] is not env:
        _loaded = (env, load_profiles(env))
    return _loaded[1]


class AIConfig(AppConfig):
    """AI writing."""

    name = "ainoval.ai"
    label = "ai"
    verbose_name = "AI"

    def ready(self) -> None:
        """Load the profiles, so that a wrong one stops the start and not a task."""
        register(unused_address, "ainoval")
        configured_profiles()


def unused_address(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn when OPENAI_BASE_URL is set and still nothing is asked of it."""
    env = settings.AINOVAL
    if env.openai_base_url and not env.ai_provider and configured_profiles()[DEFAULT].provider == "offline":
        return [
            Warning(
                "OPENAI_BASE_URL is set, but without OPENAI_API_KEY the offline provider answers.",
                hint="Set OPENAI_API_KEY (any word, if the server checks none), or AI_PROVIDER=offline.",
                id="ai.W001",
            )
        ]
    return []
