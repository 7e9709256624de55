"""Every failure of an AI server, through the real SDK and real HTTP, becomes one of our errors."""

import asyncio
import json
import logging
import socket
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from ainoval.ai.errors import AIError
from ainoval.ai.profiles import Profiles
from ainoval.ai.service import AIService
from tests.support.ai_profiles import KEY, profile_for
from tests.support.ai_server import AIServer

SCENE = "Olga crossed the bridge at dawn. Nobody followed her."


async def failure_of(service: AIService) -> AIError:
    with pytest.raises(AIError) as caught:
        await service.summarise(SCENE)
    return caught.value


CASES: list[tuple[dict[str, Any], str, bool]] = [
    ({"do": "status", "status": 429}, "rate_limited", True),
    ({"do": "insufficient_quota"}, "insufficient_quota", False),
    ({"do": "status", "status": 402}, "insufficient_quota", False),
    ({"do": "status", "status": 500}, "provider_unavailable", True),
    ({"do": "status", "status": 502}, "provider_unavailable", True),
    ({"do": "status", "status": 503, "code": "content_filter"}, "provider_unavailable", True),
    ({"do": "status", "status": 529}, "provider_unavailable", True),
    ({"do": "status", "status": 408}, "timeout", True),
    ({"do": "status", "status": 409}, "provider_unavailable", True),
    ({"do": "status", "status": 400}, "invalid_request", False),
    ({"do": "status", "status": 422}, "invalid_request", False),
    ({"do": "status", "status": 418}, "invalid_request", False),
    ({"do": "status", "status": 307}, "invalid_request", False),
    ({"do": "bad_key"}, "authentication", False),
    ({"do": "status", "status": 403}, "permission", False),
    ({"do": "status", "status": 404}, "model_not_found", False),
    ({"do": "content_filter"}, "content_filtered", False),
    ({"do": "status", "status": 400, "code": "data_inspection_failed"}, "content_filtered", False),
    ({"do": "answer", "finish_reason": "content_filter"}, "content_filtered", False),
    ({"do": "context_too_long"}, "context_too_long", False),
    ({"do": "status", "status": 413}, "context_too_long", False),
    ({"do": "status", "status": 400, "message": "Maximum context length is 8192"}, "context_too_long", False),
    ({"do": "status", "status": 400, "type": "exceed_context_size_error"}, "context_too_long", False),
    ({"do": "empty"}, "bad_response", True),
    ({"do": "answer", "text": " \n "}, "bad_response", True),
    ({"do": "answer", "text": "<think>and so on"}, "bad_response", True),
    ({"do": "no_finish"}, "bad_response", True),
    ({"do": "broken_json", "after_chunks": 0}, "bad_response", True),
    ({"do": "broken_json"}, "bad_response", True),
    ({"do": "events", "events": ["5"]}, "bad_response", True),
    ({"do": "events", "events": ['["a"]']}, "bad_response", True),
    ({"do": "events", "events": []}, "bad_response", True),
    ({"do": "raw", "status": 200, "content_type": "text/html", "body": "<p>hello</p>"}, "bad_response", True),
    ({"do": "raw", "status": 500, "content_type": "text/html", "body": "<p>sorry</p>"}, "provider_unavailable", True),
    ({"do": "raw", "status": 400, "body": "[1"}, "invalid_request", False),
    ({"do": "raw", "status": 400, "body": '{"error": {"message": 5, "code": []}}'}, "invalid_request", False),
    ({"do": "answer", "finish_reason": "insufficient_system_resource"}, "provider_unavailable", True),
    ({"do": "answer", "finish_reason": "abort"}, "provider_unavailable", True),
    ({"do": "answer", "finish_reason": "error"}, "provider_unavailable", True),
    ({"do": "error_event"}, "provider_unavailable", True),
    ({"do": "error_event", "code": "context_length_exceeded"}, "context_too_long", False),
    ({"do": "error_event", "code": "rate_limit_exceeded", "after_chunks": 0}, "rate_limited", True),
    ({"do": "cut", "after_chunks": 0}, "connection", True),
    ({"do": "cut", "after_chunks": 2}, "connection", True),
]


@pytest.mark.parametrize(("step", "code", "retryable"), CASES, ids=lambda value: str(value)[:60])
async def test_each_failure_has_its_code(ai: AIServer, service: AIService, step: dict[str, Any], code: str, retryable: bool) -> None:
    ai.script({"steps": [step]})

    error = await failure_of(service)

    assert (error.code, error.retryable) == (code, retryable)
    assert error.burns_attempt is (code != "rate_limited")
    assert ai.stats()["calls"] == 1, "the SDK must not repeat calls by itself"


@pytest.mark.parametrize(
    ("waits", "low", "high"),
    [
        ({"retry_after": 7}, 7, 7),
        ({"retry_after": "2.5"}, 2.5, 2.5),
        ({"retry_after": 86400}, 3600, 3600),
        ({"retry_after": 0}, 1, 1),
        ({"retry_after_date": 90}, 88, 91),
        ({"retry_after_date": -90}, 1, 1),
        ({"retry_after_date": 1_000_000}, 3600, 3600),
        ({"retry_after": "soon"}, 5, 5),
        ({"retry_after": "-3"}, 5, 5),
        ({"retry_after": "1e400"}, 5, 5),
        ({"retry_after": "Tue, 24 Nov 99999999999999999999 12:00:00 GMT"}, 5, 5),
        ({}, 5, 5),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait_and_burns_no_attempt(
    ai: AIServer, service: AIService, waits: dict[str, Any], low: float, high: float
) -> None:
    ai.script({"steps": [{"do": "status", "status": 429, **waits}]})

    error = await failure_of(service)

    assert error.code == "rate_limited"
    assert error.retry_after is not None and low <= error.retry_after <= high
    assert not error.burns_attempt


async def test_a_server_error_may_ask_to_wait_too_but_burns_its_attempt(ai: AIServer, service: AIService) -> None:
    ai.script({"steps": [{"do": "status", "status": 503, "retry_after": 30}]})

    error = await failure_of(service)

    assert (error.retry_after, error.burns_attempt) == (30, True)


async def test_a_rate_limit_in_the_middle_of_the_text_burns_its_attempt(ai: AIServer, service: AIService) -> None:
    ai.script({"steps": [{"do": "error_event", "code": "rate_limit_exceeded", "after_chunks": 1}]})

    error = await failure_of(service)

    assert (error.code, error.burns_attempt, error.retryable) == ("rate_limited", True, True)


async def test_a_sequence_fails_twice_and_then_answers(ai: AIServer, service: AIService) -> None:
    ai.script({"contains": "bridge", "steps": [{"do": "status", "status": 500, "times": 2}, {"do": "answer"}]})

    await failure_of(service)
    await failure_of(service)
    assert (await service.summarise(SCENE)).text.startswith("Answer")
    assert ai.stats()["byOutcome"] == {"status 500": 2, "answered": 1}


async def test_a_stall_in_the_stream_is_noticed(ai: AIServer, service_for: Callable[..., AIService]) -> None:
    ai.script({"steps": [{"do": "stall"}]})
    service = service_for(stall_timeout_seconds=0.4)
    begun = time.monotonic()

    error = await failure_of(service)

    assert (error.code, error.retryable) == ("stalled", True)
    assert 0.3 < time.monotonic() - begun < 30  # the profile would wait for a minute
    await asyncio.to_thread(ai.wait_until, lambda stats: stats["byOutcome"] == {"disconnected": 1})


async def test_slow_pieces_are_no_stall(ai: AIServer, service_for: Callable[..., AIService]) -> None:
    ai.script({"steps": [{"do": "answer", "chunks": 6, "chunk_delay": 0.25}]})

    assert (await service_for(stall_timeout_seconds=1.2).summarise(SCENE)).text.startswith("Answer")


async def test_a_server_that_never_answers_is_a_time_out(ai: AIServer, service_for: Callable[..., AIService]) -> None:
    ai.script({"steps": [{"do": "hang"}]})

    error = await failure_of(service_for(stall_timeout_seconds=0.4))

    assert (error.code, error.retryable) == ("timeout", True)
    await asyncio.to_thread(ai.wait_until, lambda stats: stats["byOutcome"] == {"disconnected": 1})


async def test_an_answer_that_goes_on_for_ever_is_a_time_out(ai: AIServer, service_for: Callable[..., AIService]) -> None:
    ai.script({"steps": [{"do": "answer", "text": "x" * 1000, "chunks": 1000, "chunk_delay": 0.05}]})

    error = await failure_of(service_for(total_timeout_seconds=0.6))

    assert (error.code, error.retryable) == ("timeout", True)
    await asyncio.to_thread(ai.wait_until, lambda stats: stats["byOutcome"] == {"disconnected": 1})


@pytest.mark.alone
@pytest.mark.parametrize("moment", [{"do": "hang"}, {"do": "stall"}, {"do": "answer", "delay": 30}])
async def test_cancelling_closes_the_socket_within_a_second(ai: AIServer, service: AIService, moment: dict[str, Any]) -> None:
    ai.script({"steps": [moment]})
    task = asyncio.create_task(service.summarise(SCENE))
    await asyncio.to_thread(ai.wait_until, lambda stats: stats["current"] == 1)
    await asyncio.sleep(0.1)

    begun = time.time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.to_thread(ai.wait_until, lambda stats: stats["current"] == 0)
    [call] = ai.calls()
    assert call["outcome"] == "disconnected"
    assert call["endedAt"] - begun < 1


async def test_a_port_where_nobody_listens_is_a_connection_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
        async with AIService(Profiles({"default": profile_for(url)})) as service:
            error = await failure_of(service)

    assert (error.code, error.retryable) == ("connection", True)
    assert "127.0.0.1" not in error.message


async def test_a_name_that_does_not_resolve_is_a_connection_error() -> None:
    async with AIService(Profiles({"default": profile_for("http://ai.invalid/v1")})) as service:
        error = await failure_of(service)

    assert (error.code, error.retryable) == ("connection", True)
    assert "ai.invalid" not in error.message


@pytest.mark.parametrize(
    "step",
    [
        {"do": "bad_key"},
        {"do": "status", "status": 400, "message": f"bad key {KEY} at https://user:secret@host/v1 with Bearer {KEY}"},
        {"do": "status", "status": 429, "message": f"key {KEY[:12]}**** is limited"},
        {"do": "error_event", "message": f"key {KEY} is limited"},
        {"do": "cut", "after_chunks": 0},
        {"do": "broken_json"},
    ],
    ids=lambda step: str(step["do"]),
)
async def test_no_message_detail_or_traceback_holds_the_key(ai: AIServer, service: AIService, caplog: pytest.LogCaptureFixture, step: dict[str, Any]) -> None:
    ai.script({"steps": [step]})

    with caplog.at_level(logging.INFO):
        error = await failure_of(service)

    said = "".join(traceback.format_exception(error)) + json.dumps(error.details) + repr(error) + caplog.text
    assert KEY[:12] not in said
    assert "secret" not in said
    assert error.__cause__ is None and error.__context__ is None
    assert KEY not in repr(service.profiles["default"])


async def test_a_key_of_any_shape_is_left_out(ai: AIServer, service_for: Callable[..., AIService]) -> None:
    ai.script({"steps": [{"do": "status", "status": 400, "message": "The key open-sesame-99 is odd."}]})

    error = await failure_of(service_for(api_key=SecretStr("open-sesame-99")))

    assert error.message == "The AI server refused the request as invalid: The key *** is odd."


async def test_a_redirect_is_not_followed(ai: AIServer, service: AIService) -> None:
    ai.script({"steps": [{"do": "status", "status": 308, "location": f"{ai.url}/chat/completions"}, {"do": "answer"}]})

    error = await failure_of(service)

    assert error.code == "invalid_request"
    assert ai.stats()["calls"] == 1
