"""What the service asks of a provider, and what it gets back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

OnText = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, slots=True)
class SummaryWork:
    """Summarise a scene."""

    text: str
    title: str = ""
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class SceneWork:
    """Write a scene from its summary."""

    summary: str
    title: str = ""
    style: str = ""
    target_words: int | None = None
    context: str = ""


Work = SummaryWork | SceneWork


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One call: the work as values (for a provider that does it itself) and as a chat (for one that asks a model)."""

    work: Work
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """The finished text, who wrote it, and what it cost.

    Token counts are what the provider reported; 0 when it reported none (no guess is made: people are billed by these
    numbers). `truncated` says that the model ran into its length limit; the provider leaves the text as it came, the
    service cuts it back to whole sentences.
    """

    text: str
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    truncated: bool = False


class Provider(Protocol):
    """Where text comes from. One instance serves one event loop and any number of calls at a time."""

    async def complete(self, request: CompletionRequest, on_text: OnText | None = None) -> Completion:
        """Return the completion; call `on_text` with each new piece as it arrives.

        A callback, not an async generator: cancelling the caller unwinds through this call and closes the socket before
        it returns, which an abandoned generator does only when it is collected.

        Raises:
            AIError: There is no usable text.
        """
        ...

    async def aclose(self) -> None:
        """Close what the provider holds open."""
        ...
