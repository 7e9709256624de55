"""The offline provider: extracts for summaries, plain drafts for scenes; it never pretends to be a model."""

import asyncio
from concurrent.futures import Executor
from typing import assert_never

from ainoval.ai.completion import Completion, CompletionRequest, OnText, SceneWork, SummaryWork, Work
from ainoval.ai.providers.offline.draft import draft
from ainoval.ai.providers.offline.summary import summarise

SUMMARY_MODEL = "extractive-1"
DRAFT_MODEL = "draft-1"


class OfflineProvider:
    """Works in a thread: a long scene takes a large part of a second. It uses no tokens and says so."""

    def __init__(self, thread_pool: Executor | None = None) -> None:
        self._thread_pool = thread_pool

    async def complete(self, request: CompletionRequest, on_text: OnText | None = None) -> Completion:
        """Do the work; see `Provider.complete`. Work that has begun in its thread goes on when this is cancelled."""
        loop = asyncio.get_running_loop()
        completion = await loop.run_in_executor(self._thread_pool, _perform, request.work)
        if on_text is not None:
            await on_text(completion.text)
        return completion

    async def aclose(self) -> None:
        """Nothing is held open; the thread pool belongs to the caller."""


def _perform(work: Work) -> Completion:
    match work:
        case SummaryWork():
            text, model = summarise(work.text), SUMMARY_MODEL
        case SceneWork():
            text, model = draft(work.summary, work.target_words), DRAFT_MODEL
        case _:
            assert_never(work)
    return Completion(text=text, provider="offline", model=model, prompt_tokens=0, completion_tokens=0)
