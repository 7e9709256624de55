"""Hundreds of calls at a time on one event loop, as the AI server sees them."""

import asyncio
import time

from ainoval.ai.profiles import Profiles
from ainoval.ai.service import AIService
from tests.support.ai_profiles import profile_for
from tests.support.ai_server import AIServerProcess

CALLS = 500


async def test_500_calls_overlap_in_one_process() -> None:
    with AIServerProcess() as ai:
        ai.script({"steps": [{"do": "hold"}]})
        async with AIService(Profiles({"default": profile_for(ai.url)})) as service:
            begun = time.monotonic()
            calls = [asyncio.create_task(service.summarise(f"Olga wrote letter number {n}; it was scene-{n}.")) for n in range(CALLS)]
            await asyncio.to_thread(ai.wait_until, lambda stats: stats["current"] == CALLS)
            in_flight = time.monotonic() - begun
            ai.release()
            completions = await asyncio.gather(*calls)
            print(f"{CALLS} calls: all in flight after {in_flight:.2f} s, all answered {time.monotonic() - begun - in_flight:.2f} s after the first answer")
        assert ai.stats()["answeredByMarker"] == {f"scene-{n}": 1 for n in range(CALLS)}
    assert all(f" to scene-{n}: " in completion.text for n, completion in enumerate(completions))
