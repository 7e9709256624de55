"""One profile, all profiles by name, and the rules their values obey."""

from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from ainoval.ai.errors import UnknownProfile

DEFAULT = "default"
OPENAI_BASE_URL = "https://api.openai.com/v1"
_OURS = frozenset({"model", "messages", "stream", "stream_options", "temperature", "max_tokens", "max_completion_tokens", "n"})


class ProfileOptions(BaseModel):
    """What a profile and an entry of the file have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    provider: Literal["offline", "openai"]
    model: str = Field(default="", max_length=200)
    base_url: str = OPENAI_BASE_URL
    api_key: SecretStr | None = None
    max_concurrency: int = Field(default=0, ge=0, le=100_000)
    connect_timeout_seconds: float = Field(default=10, gt=0, le=3600, allow_inf_nan=False)
    stall_timeout_seconds: float = Field(default=60, gt=0, le=3600, allow_inf_nan=False)
    total_timeout_seconds: float = Field(default=300, gt=0, le=86_400, allow_inf_nan=False)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        # Credentials in the address would fight with the key over one header, and end up in logs.
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ValueError("is not an address such as https://host/v1") from None
        if "@" in parts.netloc:
            raise ValueError("must not hold a user name or password; use the key")
        if not usable or parts.query or parts.fragment:
            raise ValueError("is not an address such as https://host/v1")
        return value.rstrip("/")

    @field_validator("api_key")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value().strip():
            return None
        key = value.get_secret_value().strip()
        if not (key.isascii() and key.isprintable()):
            raise ValueError("holds characters that no HTTP header can carry")
        return SecretStr(key)

    @field_validator("extra_body")
    @classmethod
    def _nothing_of_ours(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if taken := sorted(_OURS & value.keys()):
            raise ValueError(f"must not hold {', '.join(taken)}")
        return value

    @model_validator(mode="after")
    def _one_length_limit(self) -> "ProfileOptions":
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens and max_completion_tokens exclude each other")
        return self


class Profile(ProfileOptions):
    """A named choice of provider, model, time-outs and limits.

    Durations are seconds: `connect` until the socket is open, `stall` between two pieces (and before the first),
    `total` for the whole call. `max_tokens` or `max_completion_tokens` is sent under its own name, since servers know
    the one or the other; by default neither. `extra_body` is added to the request as it is (`{"enable_thinking":
    false}`).
    """

    name: str


class Profiles(Mapping[str, Profile]):
    """The profiles by name; `default` is always there."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        if DEFAULT not in profiles:
            raise ValueError("the default profile is missing")
        self._profiles = dict(profiles)

    def __getitem__(self, name: str) -> Profile:
        try:
            return self._profiles[name]
        except KeyError:
            raise UnknownProfile() from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._profiles)

    def __len__(self) -> int:
        return len(self._profiles)

    def resolve(self, name: str | None) -> Profile:
        """Return the profile of this name, or the default one for None.

        Raises:
            UnknownProfile: There is none.
        """
        return self[DEFAULT if name is None else name]


def field_messages(error: ValidationError) -> list[tuple[str, str]]:
    """Return (field, words) for each error, without the values: one of them may be the key."""
    words = {"extra_forbidden": "is not a known key", "missing": "is missing"}
    messages = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        text = words.get(item["type"], item["msg"].removeprefix("Value error, "))
        messages.append((".".join(str(part) for part in item["loc"]), text[:1].lower() + text[1:]))
    return messages
