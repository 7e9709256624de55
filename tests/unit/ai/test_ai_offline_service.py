"""AIService with the offline provider: what a fresh installation answers."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ainoval.ai.errors import AIError, UnknownProfile
from ainoval.ai.profiles import Profile, Profiles
from ainoval.ai.service import AIService
from tests.support.ai_prose import LIGHTHOUSE, RAIN

OFFLINE = Profiles({"default": Profile(name="default", provider="offline")})


@pytest.fixture
async def service() -> AsyncIterator[AIService]:
    async with AIService(OFFLINE) as service:
        yield service


async def test_a_summary_says_that_no_model_made_it(service: AIService) -> None:
    completion = await service.summarise(LIGHTHOUSE, title="The lighthouse", instructions="ignored")

    assert completion.text.startswith("Alice reached the lighthouse")
    assert (completion.provider, completion.model) == ("offline", "extractive-1")
    assert (completion.prompt_tokens, completion.completion_tokens) == (0, 0)


async def test_a_scene_says_that_no_model_made_it(service: AIService) -> None:
    completion = await service.write_scene("林晚找到了铁盒。", target_words=120, style="ignored", context="ignored")

    assert completion.text.startswith("林晚找到了铁盒。")
    assert (completion.provider, completion.model) == ("offline", "draft-1")


async def test_on_text_gets_the_whole_text_and_before_call_comes_first(service: AIService) -> None:
    heard: list[str] = []

    async def before_call() -> None:
        heard.append("before")

    async def on_text(text: str) -> None:
        heard.append(text)

    completion = await service.summarise(RAIN, before_call=before_call, on_text=on_text)

    assert heard == ["before", completion.text]


@pytest.mark.parametrize("text", ["", " \n", "——……"])
async def test_a_text_without_words_is_refused(service: AIService, text: str) -> None:
    for call in (service.summarise(text), service.write_scene(text)):
        with pytest.raises(AIError) as caught:
            await call
        assert (caught.value.code, caught.value.retryable) == ("empty_text", False)


async def test_an_unknown_profile_is_refused_before_anything_is_done(service: AIService) -> None:
    async def before_call() -> None:
        raise AssertionError("called")

    with pytest.raises(UnknownProfile):
        await service.summarise(RAIN, profile="nope", before_call=before_call)


async def test_the_work_runs_in_the_pool_it_was_given_and_not_on_the_loop() -> None:
    loop_turns = 0
    names: set[str] = set()

    def remember() -> None:
        names.add(threading.current_thread().name)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="given", initializer=remember) as pool:
        async with AIService(OFFLINE, pool) as service:
            await service.summarise(RAIN)
            work = asyncio.create_task(service.summarise(LIGHTHOUSE * 100))
            while not work.done():
                loop_turns += 1
                await asyncio.sleep(0.005)
            await work

    assert names == {"given_0"}
    assert loop_turns > 3


def test_an_offline_installation_never_loads_the_openai_sdk() -> None:
    code = (
        "import asyncio, sys\n"
        "from ainoval.ai.profiles import Profile, Profiles\n"
        "from ainoval.ai.service import AIService\n"
        "async def main():\n"
        "    async with AIService(Profiles({'default': Profile(name='default', provider='offline')})) as service:\n"
        "        await service.summarise('Olga left. Bob stayed.')\n"
        "asyncio.run(main())\n"
        "print(sorted({'openai', 'aiohttp', 'httpx2'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert done.stdout.strip() == "[]"
