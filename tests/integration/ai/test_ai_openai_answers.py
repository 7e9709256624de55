"""What the openai provider makes of answers, through the real SDK and real HTTP."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ainoval.ai.errors import AIError
from ainoval.ai.service import AIService
from tests.support.ai_profiles import KEY
from tests.support.ai_server import AIServer

SCENE = "Olga crossed the bridge at dawn (scene-7). Nobody followed her."


async def test_a_summary_is_the_streamed_text_with_model_and_usage(ai: AIServer, service: AIService) -> None:
    ai.script({"steps": [{"do": "answer", "text": "Olga crosses the bridge alone."}]})

    completion = await service.summarise(SCENE, title="The bridge")

    assert completion.text == "Olga crosses the bridge alone."
    assert (completion.provider, completion.model) == ("openai", "scripted-1")
    assert completion.completion_tokens == 5
    assert completion.prompt_tokens > len(SCENE.split())
    assert not completion.truncated
    [call] = ai.calls()
    assert call["stream"] is True
    assert call["key"] == KEY
    assert call["marker"] == "scene-7"
    assert SCENE in call["prompt"] and "The bridge" in call["prompt"]


async def test_a_scene_is_asked_for_with_style_length_and_context(ai: AIServer, service: AIService) -> None:
    await service.write_scene("林晚回到老屋。", title="归来", style="冷峻", target_words=800, context="她在车站等了一夜。")

    [call] = ai.calls()
    for words in ("林晚回到老屋。", "归来", "冷峻", "800", "她在车站等了一夜。", "你是小说作者"):
        assert words in call["prompt"]


async def test_instructions_reach_the_model(ai: AIServer, service: AIService) -> None:
    await service.summarise(SCENE, instructions="Use the present tense")

    assert "Use the present tense" in ai.calls()[0]["prompt"]


async def test_the_options_of_the_profile_choose_the_model(ai: AIServer, service_for: Callable[..., AIService]) -> None:
    service = service_for(model="big-1", temperature=0.3, max_completion_tokens=500, extra_body={"enable_thinking": False})

    completion = await service.summarise(SCENE)

    assert completion.model == "big-1"
    [call] = ai.calls()
    assert call["options"] == {"temperature": 0.3, "max_completion_tokens": 500, "enable_thinking": False}


async def test_on_text_gets_the_pieces_as_they_come_and_before_call_comes_first(ai: AIServer, service: AIService) -> None:
    ai.script({"steps": [{"do": "answer", "text": "One. Two. Three.", "chunks": 4}]})
    heard: list[str] = []

    async def before_call() -> None:
        assert ai.stats()["calls"] == 0
        heard.append("before")

    async def on_text(piece: str) -> None:
        heard.append(piece)

    await service.summarise(SCENE, before_call=before_call, on_text=on_text)

    assert heard[0] == "before"
    assert heard[1:] == ["One.", " Two", ". Th", "ree."]


async def test_what_before_call_raises_stops_the_call(ai: AIServer, service: AIService) -> None:
    async def before_call() -> None:
        raise LookupError("the lease is gone")

    with pytest.raises(LookupError):
        await service.summarise(SCENE, before_call=before_call)
    assert ai.stats()["calls"] == 0


@pytest.mark.parametrize("error", [LookupError("the lease is gone"), ValueError("odd"), TimeoutError()])
async def test_what_on_text_raises_comes_out_as_it_is_and_the_connection_is_closed(ai: AIServer, service: AIService, error: Exception) -> None:
    ai.script({"steps": [{"do": "stall"}]})

    async def on_text(piece: str) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await service.summarise(SCENE, on_text=on_text)
    assert caught.value is error
    await asyncio.to_thread(ai.wait_until, lambda stats: stats["byOutcome"] == {"disconnected": 1})


async def test_usage_that_is_not_reported_counts_as_zero(ai: AIServer, service: AIService) -> None:
    ai.script({"steps": [{"do": "no_usage"}]})

    completion = await service.summarise(SCENE)

    assert completion.text.startswith("Answer")
    assert (completion.prompt_tokens, completion.completion_tokens) == (0, 0)


async def test_an_answer_cut_by_the_length_limit_is_kept_up_to_its_last_whole_sentence(ai: AIServer, service: AIService) -> None:
    text = "Olga crosses. Mr. Hale waits at the far end; then he"
    ai.script({"steps": [{"do": "answer", "text": text, "finish_reason": "length"}]})

    completion = await service.summarise(SCENE)

    assert completion.text == "Olga crosses."
    assert completion.truncated


@pytest.mark.parametrize("text", ["Olga crosses the", ""])
async def test_a_length_limit_before_the_first_sentence_ends_the_task(ai: AIServer, service: AIService, text: str) -> None:
    ai.script({"steps": [{"do": "answer", "text": text, "finish_reason": "length"}]})

    paid: list[tuple[int, int]] = []
    with pytest.raises(AIError) as caught:
        await service.summarise(SCENE, on_usage=lambda prompt, completion: paid.append((prompt, completion)))

    assert len(paid) == 1 and paid[0][0] > 0, "an unusable answer is paid for, too"
    assert (caught.value.code, caught.value.retryable) == ("truncated", False)
    assert "max_tokens" in caught.value.message


COSTLY = '{"model": "m", "choices": [{"index": 0, "delta": {"content": "Olga"}}], "usage": {"prompt_tokens": 40, "completion_tokens": %d}}'


@pytest.mark.parametrize(
    ("step", "code", "tokens"),
    [
        ({"do": "answer", "text": "Olga crosses.", "finish_reason": "content_filter"}, "content_filtered", None),
        ({"do": "answer", "text": "Olga crosses.", "finish_reason": "abort"}, "provider_unavailable", None),
        ({"do": "events", "events": [COSTLY % 1, COSTLY % 2, COSTLY % 3]}, "bad_response", (40, 3)),
        ({"do": "events", "events": [COSTLY % 1, COSTLY % 2, '{"half']}, "bad_response", (40, 2)),
    ],
)
async def test_the_tokens_of_an_answer_that_was_stopped_are_counted_once(
    ai: AIServer, service: AIService, step: dict[str, Any], code: str, tokens: tuple[int, int] | None
) -> None:
    ai.script({"steps": [step]})
    paid: list[tuple[int, int]] = []

    with pytest.raises(AIError) as caught:
        await service.summarise(SCENE, on_usage=lambda prompt, completion: paid.append((prompt, completion)))

    assert caught.value.code == code
    [counted] = paid
    assert counted == (tokens or (len(ai.calls()[0]["prompt"].split()), 2))


async def test_a_models_thinking_aloud_is_left_out(ai: AIServer, service: AIService) -> None:
    ai.script({"steps": [{"do": "answer", "text": "<think>\nA bridge…\n</think>\n\nOlga crosses.\n"}]})

    assert (await service.summarise(SCENE)).text == "Olga crosses."


async def test_characters_that_cannot_be_stored_are_left_out(ai: AIServer, service: AIService) -> None:
    chunk = r'{"model": "m\ud800", "choices": [{"delta": {"content": "Ol\u0000ga \ud83d left."}, "finish_reason": "stop"}]}'
    ai.script({"steps": [{"do": "events", "events": [chunk]}]})

    completion = await service.summarise(SCENE)

    assert completion.text == "Olga  left."
    completion.model.encode()


async def test_a_character_that_comes_in_two_halves_is_one(ai: AIServer, service: AIService) -> None:
    halves = [r'{"choices": [{"delta": {"content": "Olga \ud83d"}}]}', r'{"choices": [{"delta": {"content": "\ude00 left."}, "finish_reason": "stop"}]}']
    ai.script({"steps": [{"do": "events", "events": halves}]})

    assert (await service.summarise(SCENE)).text == "Olga 😀 left."


async def test_a_complete_text_is_kept_though_the_stream_breaks_after_it(ai: AIServer, service: AIService) -> None:
    chunk = '{"model": "m", "choices": [{"index": 0, "delta": {"content": "Whole."}, "finish_reason": "stop"}]}'
    ai.script({"steps": [{"do": "events", "events": [chunk, '{"half']}]})

    assert (await service.summarise(SCENE)).text == "Whole."


async def test_a_complete_text_is_kept_though_the_time_runs_out_before_the_stream_ends(ai: AIServer, service_for: Callable[..., AIService]) -> None:
    ai.script({"steps": [{"do": "linger", "text": "Olga crosses."}]})

    assert (await service_for(total_timeout_seconds=2).summarise(SCENE)).text == "Olga crosses."


async def test_odd_chunks_are_skipped(ai: AIServer, service: AIService) -> None:
    odd = [
        "{}",
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": [{"delta": null}]}',
        '{"choices": null, "usage": {"prompt_tokens": "many", "completion_tokens": -1}}',
        '{"model": 5, "choices": [{"index": 0, "delta": {"content": 5}}]}',
        '{"model": "m", "choices": [{"index": 0, "delta": {"content": "Fine.", "reasoning_content": "hm"}}]}',
        '{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}',
        "[DONE]",
    ]
    ai.script({"steps": [{"do": "events", "events": odd}]})

    completion = await service.summarise(SCENE)

    assert (completion.text, completion.model) == ("Fine.", "m")
    assert (completion.prompt_tokens, completion.completion_tokens) == (0, 0)


@pytest.mark.parametrize("text", ["", " \n\t", "—— …… !!!"])
async def test_a_scene_without_words_is_refused_before_any_call(ai: AIServer, service: AIService, text: str) -> None:
    for call in (service.summarise(text), service.write_scene(text)):
        with pytest.raises(AIError) as caught:
            await call
        assert (caught.value.code, caught.value.retryable) == ("empty_text", False)
    assert ai.stats()["calls"] == 0
