"""Profiles that ask a scripted AI server."""

from typing import Any

from pydantic import SecretStr

from ainoval.ai.profiles import Profile

KEY = "sk-test-4f1d2c3b5a69788796a5b4c3d2e1f0"


def profile_for(url: str, **options: Any) -> Profile:
    """Return a default profile for the server at this base URL, with these options changed."""
    values: dict[str, Any] = {"name": "default", "provider": "openai", "model": "scripted-1", "base_url": url}
    return Profile(**values | {"api_key": SecretStr(KEY)} | options)
