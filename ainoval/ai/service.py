"""AIService: what executables ask for text."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import replace
from types import TracebackType
from typing import Self

from ainoval.ai import prompts
from ainoval.ai.answers import whole_sentences, without_reasoning
from ainoval.ai.completion import Completion, CompletionRequest, OnText, Provider, SceneWork, SummaryWork, Work
from ainoval.ai.errors import AIError, AIErrorCode
from ainoval.ai.profiles import Profile, Profiles
from ainoval.novels.characters import clean
from ainoval.novels.words import has_words

BeforeCall = Callable[[], Awaitable[None]]
OnUsage = Callable[[int, int], None]


class AIService:
    """Summaries and scenes, from the provider a profile names.

    One instance belongs to one event loop (its HTTP clients do) and serves any number of calls at a time. It never
    waits for a free slot and never repeats a call: limits are the claim's business, repeats are the task's.

    Args:
        profiles: From `load_profiles`.
        thread_pool: Where CPU work runs; the loop's own by default. Work already running there goes on when its caller
            is cancelled.
    """

    def __init__(self, profiles: Profiles, thread_pool: Executor | None = None) -> None:
        self.profiles = profiles
        self._thread_pool = thread_pool
        self._providers: dict[str, Provider] = {}
        self._building = asyncio.Lock()

    async def summarise(
        self,
        text: str,
        *,
        title: str = "",
        instructions: str | None = None,
        profile: str | None = None,
        before_call: BeforeCall | None = None,
        on_usage: OnUsage | None = None,
        on_text: OnText | None = None,
    ) -> Completion:
        """Return a summary of a scene, in the scene's language.

        Args:
            instructions: The author's wishes; the offline provider cannot follow them.
            profile: A profile's name; None is the default one.
            before_call: Awaited right before the provider is called; what it raises stops the call.
            on_usage: Called with the prompt's and the answer's tokens, if the provider reports them; also of an answer that cannot be used: it is paid for.
            on_text: Awaited with each new piece of text. Pieces are raw: the result may be cleaner.

        Raises:
            AIError: No usable text; `empty_text` when there is nothing to summarise.
            UnknownProfile: No profile has this name.
        """
        if not has_words(text):
            raise AIError("The scene has no text to summarise; write some first.", code=AIErrorCode.EMPTY_TEXT)
        work = SummaryWork(text=text, title=title.strip(), instructions=(instructions or "").strip())
        return await self._complete(work, profile, before_call, on_usage, on_text)

    async def write_scene(
        self,
        summary: str,
        *,
        title: str = "",
        style: str | None = None,
        target_words: int | None = None,
        context: str = "",
        profile: str | None = None,
        before_call: BeforeCall | None = None,
        on_usage: OnUsage | None = None,
        on_text: OnText | None = None,
    ) -> Completion:
        """Return a scene written from its summary, in the summary's language.

        Args:
            target_words: The length to aim at; Chinese counts characters.
            context: What came before, for continuity.

        The rest, and what is raised, is as for `summarise`. The offline provider cannot follow style and context.
        """
        if not has_words(summary):
            raise AIError("The scene has no summary to write from; write one first.", code=AIErrorCode.EMPTY_TEXT)
        work = SceneWork(
            summary=summary,
            title=title.strip(),
            style=(style or "").strip(),
            target_words=target_words,
            context=context.strip(),
        )
        return await self._complete(work, profile, before_call, on_usage, on_text)

    async def aclose(self) -> None:
        """Close all connections; calls in flight end with an error."""
        providers, self._providers = list(self._providers.values()), {}
        for provider in providers:
            await provider.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def _complete(
        self, work: Work, profile_name: str | None, before_call: BeforeCall | None, on_usage: OnUsage | None, on_text: OnText | None
    ) -> Completion:
        provider = await self._provider(self.profiles.resolve(profile_name))
        request = CompletionRequest(work=work, messages=prompts.messages(work))
        if before_call is not None:
            await before_call()
        try:
            completion = await provider.complete(request, on_text)
        except AIError as error:
            _report(error, on_usage)
            raise
        _report(completion, on_usage)
        return _cleaned(completion)

    async def _provider(self, profile: Profile) -> Provider:
        if profile.name not in self._providers:
            async with self._building:
                if profile.name not in self._providers:
                    # In a thread: importing the SDK and reading the CA certificates would hold the loop for a second.
                    loop = asyncio.get_running_loop()
                    provider = await loop.run_in_executor(self._thread_pool, _build, profile, self._thread_pool)
                    self._providers[profile.name] = provider
        return self._providers[profile.name]


def _build(profile: Profile, thread_pool: Executor | None) -> Provider:
    # Imported on first use: an offline installation never loads HTTP code, and a web process neither.
    match profile.provider:
        case "offline":
            from ainoval.ai.providers.offline.provider import OfflineProvider

            return OfflineProvider(thread_pool)
        case "openai":
            from ainoval.ai.providers.openai import OpenAIProvider

            return OpenAIProvider(profile)


def _report(paid: Completion | AIError, on_usage: OnUsage | None) -> None:
    if on_usage is not None and (paid.prompt_tokens or paid.completion_tokens):
        on_usage(paid.prompt_tokens, paid.completion_tokens)


def _cleaned(completion: Completion) -> Completion:
    """Return the completion with its text fit to be stored: no thinking aloud, no NUL, no half of a surrogate pair.

    An answer that ran into the length limit is kept up to its last whole sentence: it was paid for, and another attempt
    would end at the same limit. Without one whole sentence there is nothing to keep, and no repeat would help either.
    """
    text = without_reasoning(clean(completion.text))
    if completion.truncated:
        text = whole_sentences(text)
        if not text:
            raise AIError(
                "The model reached its length limit before it had written a sentence; raise the profile's max_tokens.",
                code=AIErrorCode.TRUNCATED,
            )
    if not text:
        raise AIError("The model answered without any text.", code=AIErrorCode.BAD_RESPONSE)
    return replace(completion, text=text, model=clean(completion.model))
