"""What the scripted AI server is told to do; `ai_server.py` documents it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

DEFAULT_MARKER = r"\b(?:scene|mark)-[A-Za-z0-9_-]+"


class Step(BaseModel):
    """What happens to one call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: Literal[
        "answer", "status", "content_filter", "context_too_long", "insufficient_quota", "bad_key", "empty", "no_finish",
        "no_usage", "broken_json", "error_event", "cut", "stall", "linger", "hang", "hold", "raw", "events",
    ] = "answer"  # fmt: skip
    times: int = Field(default=1, ge=1)
    delay: float = Field(default=0, ge=0)
    chunk_delay: float = Field(default=0, ge=0)
    text: str | None = None
    chunks: int = Field(default=3, ge=1)
    usage: bool = True
    finish_reason: str = "stop"
    after_chunks: int = Field(default=1, ge=0)
    status: int = 500
    code: str | None = None
    type: str | None = None
    message: str = "scripted error"
    retry_after: float | str | None = None
    retry_after_date: float | None = None
    location: str | None = None
    body: str = ""
    content_type: str = "application/json"
    events: list[str] = []


class Rule(BaseModel):
    """Which calls meet which steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contains: str | list[str] = ""
    per: Literal["rule", "marker", "prompt"] = "rule"
    steps: list[Step] = Field(min_length=1)

    def matches(self, prompt: str) -> bool:
        """Say whether any of the substrings is in the prompt."""
        wanted = [self.contains] if isinstance(self.contains, str) else self.contains
        return any(text in prompt for text in wanted)

    def step(self, number: int) -> Step:
        """Return the step of the call with this number (from 0) in its sequence."""
        for step in self.steps:
            if number < step.times:
                return step
            number -= step.times
        return self.steps[-1]


class Script(BaseModel):
    """All rules, and the step of calls that match none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: list[Rule] = []
    default: Step = Step()
    marker: str = DEFAULT_MARKER


SCRIPT: TypeAdapter[Script | Rule | list[Rule]] = TypeAdapter(Script | Rule | list[Rule])


def parse_script(data: bytes) -> Script:
    """Return the script in this JSON: a rule, a list of rules or a whole script. ValueError if it is none of them."""
    given = SCRIPT.validate_json(data)
    if isinstance(given, Script):
        return given
    return Script(rules=given if isinstance(given, list) else [given])
