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
    ai_process.script({"steps": [{"do": "answer", "delay": 1}]})
    async with AIService(Profiles({"default": profile_for(ai_process.url)})) as service:
        begun = time.monotonic()
        completions = await asyncio.gather(
            *(service.summarise(f"Olga wrote letter number {n}; it was scene-{n}.") for n in range(CALLS))
        )
        taken = time.monotonic() - begun

    stats = ai_process.stats()
    assert stats["peak"] == CALLS
    assert taken < 6
    assert stats["answeredByMarker"] == {f"scene-{n}": 1 for n in range(CALLS)}
    assert all(f" to scene-{n}: " in completion.text for n, completion in enumerate(completions))
    print(f"{CALLS} one-second calls: {taken:.2f} s")
