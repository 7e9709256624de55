"""Profiles: which provider, model and limits a call uses. They are the operator's; a request only names one.

`default` is made of `AI_PROVIDER`, `OPENAI_*` and `AI_MAX_CONCURRENCY`. Others are tables of the file `AI_PROFILES`
names (TOML or JSON, by suffix); `AI_MAX_CONCURRENCY` is also theirs where they set no limit of their own:

    [profiles.deepseek]
    provider = "openai"
    model = "deepseek-chat"
    base_url = "https://api.deepseek.com/v1"
    api_key_env = "DEEPSEEK_API_KEY"      # or api_key = "…"
    max_concurrency = 50                  # over all workers; 0 = no limit
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from django.core.exceptions import ImproperlyConfigured
from pydantic import SecretStr, ValidationError

from ainoval.ai.profile import DEFAULT, OPENAI_BASE_URL, Profile, Profiles, field_messages
from ainoval.ai.profile_file import read_profiles

__all__ = ["DEFAULT", "AISettings", "Profile", "Profiles", "load_profiles"]

OPENAI_MODEL = "gpt-4.1-mini"


class AISettings(Protocol):
    """The part of the environment that makes the profiles (`ainoval.env.Environment` has it)."""

    @property
    def ai_provider(self) -> str | None: ...
    @property
    def openai_base_url(self) -> str | None: ...
    @property
    def openai_api_key(self) -> SecretStr | str | None: ...
    @property
    def openai_model(self) -> str | None: ...
    @property
    def ai_profiles(self) -> Path | str | None: ...
    @property
    def ai_max_concurrency(self) -> int | None: ...


def load_profiles(env: AISettings, environ: Mapping[str, str] | None = None) -> Profiles:
    """Return the profiles of this environment.

    Args:
        environ: Where `api_key_env` looks its name up; the process's environment by default.

    Raises:
        ImproperlyConfigured: A setting or an entry is wrong; one line for each error, never with a key in it.
    """
    profiles = {DEFAULT: _default(env)}
    if env.ai_profiles:
        environ = os.environ if environ is None else environ
        profiles.update(read_profiles(Path(env.ai_profiles), environ, max_concurrency=env.ai_max_concurrency or 0))
    return Profiles(profiles)


def _default(env: AISettings) -> Profile:
    given = env.openai_api_key
    key = (given.get_secret_value() if isinstance(given, SecretStr) else given or "").strip()
    provider = (env.ai_provider or "").strip() or ("openai" if key else "offline")
    if provider not in ("offline", "openai"):
        raise ImproperlyConfigured("AI_PROVIDER must be offline or openai.")
    if provider == "openai" and not key:
        raise ImproperlyConfigured("AI_PROVIDER=openai needs OPENAI_API_KEY (any word will do for a server that checks no key).")
    limit = env.ai_max_concurrency or 0
    if provider == "offline":
        return Profile(name=DEFAULT, provider="offline", max_concurrency=limit)
    try:
        return Profile(
            name=DEFAULT,
            provider="openai",
            model=env.openai_model or OPENAI_MODEL,
            base_url=env.openai_base_url or OPENAI_BASE_URL,
            api_key=SecretStr(key),
            max_concurrency=limit,
        )
    except ValidationError as exc:
        names = {"max_concurrency": "AI_MAX_CONCURRENCY"}
        lines = [f"{names.get(field, f'OPENAI_{field.upper()}')} {message}." for field, message in field_messages(exc)]
        raise ImproperlyConfigured("\n".join(lines)) from None
