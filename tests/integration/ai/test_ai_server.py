"""The scripted AI server itself: other tests count on what it records and on what it is told to do."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.ai_server import AIServer


def ask(ai: AIServer, text: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """One call without the SDK, not streamed."""
    connection = http.client.HTTPConnection(urlsplit(ai.url).netloc, timeout=60)
    try:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]} | options
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": "Bearer word"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_the_same_prompt_always_gets_the_same_text_with_its_marker(ai: AIServer) -> None:
    (_, first), (_, again), (_, other) = ask(ai, "Olga left (scene-7)."), ask(ai, "Olga left (scene-7)."), ask(ai, "Bob left (scene-8).")

    texts = [answer["choices"][0]["message"]["content"] for answer in (first, again, other)]
    assert texts[0] == texts[1] != texts[2]
    assert " to scene-7: Olga left" in texts[0]
    assert first["usage"]["prompt_tokens"] == 3


def test_each_call_is_recorded(ai: AIServer) -> None:
    ask(ai, "Olga left (scene-7).", temperature=1)
    ask(ai, "Bob left.")

    first, second = ai.calls()
    assert (first["number"], first["marker"], first["key"], first["options"], first["outcome"]) == (1, "scene-7", "word", {"temperature": 1}, "answered")
    assert first["at"] <= first["endedAt"] <= second["endedAt"]
    assert second["marker"] is None
    assert ai.calls(contains="Bob") == [second]
    assert ai.calls(marker="scene-7") == [first]
    assert ai.stats() == {
        "calls": 2,
        "current": 0,
        "peak": 1,
        "byMarker": {"scene-7": 1},
        "answeredByMarker": {"scene-7": 1},
        "byOutcome": {"answered": 2},
    }


def test_rules_are_matched_in_order_and_used_up_step_by_step(ai: AIServer) -> None:
    busy = {"contains": ["Olga", "Bob"], "steps": [{"do": "status", "status": 500, "times": 2}, {"do": "answer"}]}
    ai.script([busy, {"contains": "", "steps": [{"do": "status", "status": 429}]}])

    assert [ask(ai, text)[0] for text in ("Olga", "Bob", "Olga", "Olga", "Alice", "Alice")] == [500, 500, 200, 200, 429, 429]


@pytest.mark.parametrize(("per", "statuses"), [("rule", [500, 200, 200, 200]), ("marker", [500, 200, 500, 200]), ("prompt", [500, 500, 500, 500])])
def test_a_sequence_counts_by_rule_by_marker_or_by_prompt(ai: AIServer, per: str, statuses: list[int]) -> None:
    ai.script({"contains": "", "per": per, "steps": [{"do": "status", "status": 500}, {"do": "answer"}]})

    assert [ask(ai, text)[0] for text in ("a scene-1", "b scene-1", "a scene-2", "b scene-2")] == statuses


def test_the_default_step_and_the_marker_can_be_changed(ai: AIServer) -> None:
    ai.script({"default": {"do": "answer", "text": "Fixed."}, "marker": "#[0-9]+"})

    assert ask(ai, "Scene #12")[1]["choices"][0]["message"]["content"] == "Fixed."
    assert ai.calls()[0]["marker"] == "#12"


@pytest.mark.parametrize(
    "script",
    [{"steps": []}, {"steps": [{"do": "explode"}]}, {"steps": [{"do": "answer", "dely": 1}]}, {"rules": 5}, {"marker": "("}, [{"per": "day", "steps": []}]],
)
def test_a_script_with_a_mistake_is_refused_and_changes_nothing(ai: AIServer, script: Any) -> None:
    ai.script({"steps": [{"do": "status", "status": 429}]})

    with pytest.raises(ValueError):
        ai.script(script)

    assert ask(ai, "Olga")[0] == 429


def test_a_reset_forgets_everything(ai: AIServer) -> None:
    ai.script({"steps": [{"do": "status", "status": 429}]})
    ask(ai, "Olga")

    ai.reset()

    assert ai.calls() == []
    assert ai.stats()["peak"] == 0
    assert ask(ai, "Olga")[0] == 200


def test_held_calls_are_answered_when_they_are_released_and_later_ones_are_held_anew(ai: AIServer) -> None:
    ai.script({"steps": [{"do": "hold"}]})
    with ThreadPoolExecutor(3) as pool:
        held = [pool.submit(ask, ai, text) for text in ("Olga", "Bob")]
        ai.wait_until(lambda stats: stats["current"] == 2)
        assert not any(call.done() for call in held)

        ai.release()
        assert [call.result(60)[0] for call in held] == [200, 200]

        later = pool.submit(ask, ai, "Alice")
        ai.wait_until(lambda stats: stats["current"] == 1)
        assert not later.done()
        ai.reset()
        assert later.result(60)[0] == 200
