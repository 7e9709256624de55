"""Reading the file AI_PROFILES names: tables in TOML or JSON, one error a line."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from pydantic import SecretStr, ValidationError

from ainoval.ai.profile import DEFAULT, Profile, ProfileOptions, field_messages

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class _Entry(ProfileOptions):
    """A table of the file."""

    api_key_env: str | None = None


def read_profiles(path: Path, environ: Mapping[str, str], *, max_concurrency: int) -> dict[str, Profile]:
    """Return the profiles of the file.

    Args:
        environ: Where `api_key_env` looks its name up.
        max_concurrency: Of the profiles that do not set it; 0 = no limit.

    Raises:
        ImproperlyConfigured: The file or an entry is wrong; one line for each error, never with a key in it.
    """
    tables = _read(path)
    profiles: dict[str, Profile] = {}
    errors: list[str] = []
    for name, table in tables.items():
        try:
            profiles[name] = _profile(name, table, environ, max_concurrency)
        except _BadEntry as exc:
            errors.extend(f"AI_PROFILES ({path}): profiles.{name}{line}" for line in exc.lines)
    if errors:
        raise ImproperlyConfigured("\n".join(errors))
    return profiles


class _BadEntry(Exception):
    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines


def _profile(name: str, table: object, environ: Mapping[str, str], max_concurrency: int) -> Profile:
    if name == DEFAULT:
        raise _BadEntry(": the default profile is made of AI_PROVIDER and OPENAI_*; give this one another name.")
    if not _NAME.fullmatch(name):
        raise _BadEntry(": a name has 1 to 64 letters, digits, dots, dashes and underscores.")
    try:
        entry = _Entry.model_validate(table, strict=True)
    except ValidationError as exc:
        raise _BadEntry(*(f"{'.' * bool(field)}{field}: {text}." for field, text in field_messages(exc))) from None
    key = entry.api_key
    if entry.api_key_env is not None:
        if key is not None:
            raise _BadEntry(": api_key and api_key_env exclude each other.")
        key = SecretStr(environ.get(entry.api_key_env, "").strip())
        if not key.get_secret_value():
            raise _BadEntry(f".api_key_env: the environment has no {entry.api_key_env}.")
    if entry.provider == "openai":
        missing = [word for word, value in (("model", entry.model), ("api_key or api_key_env", key)) if not value]
        if missing:
            raise _BadEntry(*(f": {word} is missing." for word in missing))
    values = entry.model_dump(exclude={"api_key_env", "api_key"})
    if "max_concurrency" not in entry.model_fields_set:
        values["max_concurrency"] = max_concurrency
    try:
        return Profile(name=name, api_key=key, **values)
    except ValidationError as exc:
        raise _BadEntry(*(f".{field}: {text}." for field, text in field_messages(exc))) from None


def _read(path: Path) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            document = json.loads(text, object_pairs_hook=_without_twins)
        elif path.suffix == ".toml":
            document = tomllib.loads(text)
        else:
            raise ImproperlyConfigured(f"AI_PROFILES ({path}) must end in .toml or .json.")
    except OSError as exc:
        raise ImproperlyConfigured(f"AI_PROFILES ({path}) cannot be read: {exc.strerror}.") from None
    except ValueError as exc:
        raise ImproperlyConfigured(f"AI_PROFILES ({path}) is no valid {path.suffix[1:].upper()}: {exc}.") from None
    tables = document.get("profiles") if isinstance(document, dict) else None
    if not isinstance(tables, dict) or set(document) != {"profiles"}:
        raise ImproperlyConfigured(f"AI_PROFILES ({path}) must hold one table, profiles, one for each profile.")
    return tables


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a key appears twice in one object")
    return dict(pairs)
