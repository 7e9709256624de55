"""Hundreds of calls at a time on one event loop, as the AI server sees them."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from ainoval.ai.profiles import Profiles
from ainoval.ai.service import AIService
from tests.support.ai_profiles import profile_for
from tests.support.ai_server import AIServerProcess

CALLS = 500


@pytest.fixture(scope="module")
def ai_process() -> Iterator[AIServerProcess]:
    with AIServerProcess() as server:
        yield server


async def test_500_calls_of_one_second_overlap_in_one_process(ai_process: AIServerProcess) -> None:
    async with AIService(Profiles({"default": profile_for(ai_process.url)})) as service:
        await service.summarise("Imports, certificates and the first connection are not what is measured.")
        # All have to be sent within one second. Another program's burst on this machine may spoil that once, not thrice.
        for _ in range(3):
            peak, taken = await run_round(ai_process, service)
            if peak == CALLS:
                break

    print(f"{CALLS} one-second calls: {taken:.2f} s, {peak} at once")
    assert peak == CALLS
    assert taken < 6


async def run_round(ai: AIServerProcess, service: AIService) -> tuple[int, float]:
    """Return the most calls the server saw at once, and the seconds until the last answer."""
    ai.reset()
    ai.script({"steps": [{"do": "answer", "delay": 1}]})
    begun = time.monotonic()
    completions = await asyncio.gather(*(service.summarise(f"Olga wrote letter number {n}; it was scene-{n}.") for n in range(CALLS)))
    taken = time.monotonic() - begun

    stats = ai.stats()
    assert stats["answeredByMarker"] == {f"scene-{n}": 1 for n in range(CALLS)}
    assert all(f" to scene-{n}: " in completion.text for n, completion in enumerate(completions))
    return stats["peak"], taken
