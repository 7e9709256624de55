"""The environment, read once: every setting typed, every mistake one clear line.

docs/configuration.md names the settings, and the names are fixed. A value that is wrong, contradicts another, or an unknown `TASKS_*` or `AINOVAL_*`
name stops the start: a misspelt limit that is silently ignored would be found out by the bill.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pymongo import MongoClient
from pymongo.errors import PyMongoError

STRICT_PREFIXES = ("TASKS_", "AINOVAL_")
SECRET_KEY_FILE = "secret_key"  # noqa: S105 - a file's name
LARGEST_LIMIT = 2**31 - 1  # with room for sums: beyond 64 bits MongoDB takes no number
LONGEST_DAYS = 36_500  # a hundred years: an end that every calendar knows


class Environment(BaseModel):
    """All settings of docs/configuration.md; durations in seconds, limits with 0 = none."""

    # Without the input in errors: a traceback would show a password.
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False, hide_input_in_errors=True)

    django_secret_key: SecretStr | None = None
    django_debug: bool = False
    django_allowed_hosts: tuple[str, ...] = ()
    jwt_signing_key: SecretStr | None = None
    database_url: SecretStr | None = None
    mongodb_uri: SecretStr | None = None
    mongodb_database: str = Field(default="ainoval", pattern=r"^[A-Za-z0-9_-]{1,38}$")

    ainoval_data_dir: Path = Path("var")
    ainoval_port: int = Field(default=8000, ge=1, le=65535)
    ainoval_log_format: Literal["console", "json"] = "console"
    ainoval_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    ai_provider: Literal["offline", "openai"] | None = None
    openai_base_url: str | None = None
    openai_api_key: SecretStr | None = None
    openai_model: str | None = None
    ai_profiles: Path | None = None
    ai_max_concurrency: int = Field(default=0, ge=0, le=100_000)

    tasks_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    tasks_worker_concurrency: int = Field(default=200, ge=1, le=20_000)
    tasks_threads: int = Field(default=16, ge=1, le=512)
    tasks_max_running: int = Field(default=0, ge=0, le=LARGEST_LIMIT)
    tasks_max_running_per_user: int = Field(default=20, ge=0, le=LARGEST_LIMIT)
    tasks_type_limits: dict[str, Annotated[int, Field(ge=0, le=LARGEST_LIMIT)]] = Field(default_factory=dict)
    tasks_max_queued_per_user: int = Field(default=10_000, ge=1, le=LARGEST_LIMIT)
    tasks_submit_rate: int = Field(default=600, ge=0, le=LARGEST_LIMIT)
    tasks_lease_seconds: float = Field(default=30, ge=1, le=3600)
    tasks_progress_interval: float = Field(default=0.5, ge=0, le=60)
    tasks_max_wait_hours: float = Field(default=24, gt=0, le=24 * LONGEST_DAYS)
    tasks_retention_days: float = Field(default=30, gt=0, le=LONGEST_DAYS)
    tasks_shutdown_grace: float = Field(default=30, ge=0, le=3600)

    @field_validator("django_allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        return tuple(host.strip() for host in value.split(",") if host.strip()) if isinstance(value, str) else value

    @field_validator("tasks_type_limits", mode="before")
    @classmethod
    def _type_limits(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        limits: dict[str, int] = {}
        for item in filter(None, (part.strip() for part in value.split(","))):
            name, equals, number = (part.strip() for part in item.partition("="))
            if not equals or not name or not number.isascii() or not number.isdigit():
                raise ValueError(f"{item!r} is not TYPE=NUMBER (as in GENERATE_SCENE=50,GENERATE_SUMMARY=100)")
            if name in limits:
                raise ValueError(f"{name} is given twice")
            limits[name] = int(number)
        return limits

    @field_validator("mongodb_uri", mode="before")
    @classmethod
    def _mongodb_uri(cls, value: object) -> object:
        if isinstance(value, str) and not value.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("must begin with mongodb:// or mongodb+srv://")
        try:
            if isinstance(value, str):
                # Neither connects nor asks the name service.
                MongoClient(value, connect=False).close()
        except (PyMongoError, ValueError, TypeError, OSError):
            # Not the driver's words: they quote what it takes for a port, which may be half a password.
            raise ValueError("no client can be made of this URI: look at its ports and options; user name and password are percent-encoded") from None
        return value

    @field_validator("database_url", mode="before")
    @classmethod
    def _database_url(cls, value: object) -> object:
        try:
            if isinstance(value, str):
                parsed = dj_database_url.parse(value)
                if not parsed["NAME"] and "service" not in parsed.get("OPTIONS", {}):
                    raise ValueError("no database is named")
        except ValueError:
            # Not its words: without `//`, a user name would be the scheme that they quote.
            raise ValueError(
                "must be a URL such as postgres://user:password@host:5432/name or sqlite:////path/to/file; user name and password are percent-encoded"
            ) from None
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Environment":
        if self.mongodb_uri and not self.django_debug and self.django_secret_key is None:
            raise ValueError("DJANGO_SECRET_KEY must be set when MONGODB_URI is (or set DJANGO_DEBUG=1 for development)")
        if self.jwt_signing_key and len(self.jwt_signing_key.get_secret_value().encode()) < 32:
            raise ValueError("JWT_SIGNING_KEY must have 32 bytes or more")
        if self.tasks_progress_interval >= self.tasks_lease_seconds:
            raise ValueError("TASKS_PROGRESS_INTERVAL must be shorter than TASKS_LEASE_SECONDS")
        if self.tasks_max_running and self.tasks_max_running_per_user > self.tasks_max_running:
            if "tasks_max_running_per_user" in self.model_fields_set:
                raise ValueError("TASKS_MAX_RUNNING_PER_USER is above TASKS_MAX_RUNNING, so it could never be reached")
        return self

    @property
    def data_dir(self) -> Path:
        """Where the embedded parts keep their data, absolute."""
        return self.ainoval_data_dir.absolute()

    @property
    def port(self) -> int:
        """The port of the development server on loopback."""
        return self.ainoval_port

    def folder(self, name: str) -> Path:
        """Return a folder inside of the data folder, made if it is not there.

        Raises:
            ImproperlyConfigured: It cannot be made.
        """
        path = self.data_dir / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise _unwritable(self.data_dir, exc) from exc
        return path

    def secret_key(self) -> str:
        """Return DJANGO_SECRET_KEY, or the one generated once and kept in the data folder (mode 0600)."""
        if self.django_secret_key:
            return self.django_secret_key.get_secret_value()
        return _kept_secret(self.data_dir / SECRET_KEY_FILE)


def _kept_secret(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            # Written to the open file at once: a second process that starts at the same moment may read it empty, and waits below.
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_urlsafe(50))
        for _ in range(100):
            if key := path.read_text().strip():
                return key
            os.sched_yield()
    except OSError as exc:
        raise _unwritable(path.parent, exc) from exc
    raise ImproperlyConfigured(f"{path} is empty: delete it and start again")


def _unwritable(folder: Path, error: OSError) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"AINOVAL_DATA_DIR={folder} cannot be written ({error.strerror}): choose another folder")


def _line(error: Any) -> str:
    name = "_".join(str(part) for part in error["loc"][:1]).upper()
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Parse the environment.

    Args:
        environ: Names and values, as in `os.environ`; an empty value counts as unset.

    Raises:
        ImproperlyConfigured: With one line a mistake, each naming the setting and what would be right.
    """
    fields = Environment.model_fields
    given = {name: value for name, value in environ.items() if value != ""}
    unknown = sorted(n for n in given if n.startswith(STRICT_PREFIXES) and n.lower() not in fields)
    if unknown:
        raise ImproperlyConfigured(f"unknown setting {', '.join(unknown)}: see docs/configuration.md for the names that exist")
    try:
        return Environment.model_validate({n.lower(): v for n, v in given.items() if n.lower() in fields and n == n.upper()})
    except ValidationError as exc:
        raise ImproperlyConfigured("; ".join(_line(e) for e in exc.errors(include_url=False, include_input=False))) from exc
