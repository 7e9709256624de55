"""The pure parts around a call: errors, waits, cleaned answers, prompts."""

from datetime import UTC, datetime

import pytest

from ainoval.ai.answers import whole_sentences, without_reasoning
from ainoval.ai.completion import SceneWork, SummaryWork
from ainoval.ai.errors import RETRYABLE, AIError, AIErrorCode
from ainoval.ai.prompts import messages
from ainoval.ai.providers.openai_errors import retry_after_seconds
from ainoval.errors import WorkError

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("code", AIErrorCode)
def test_the_code_decides_whether_a_repeat_can_help(code: AIErrorCode) -> None:
    error = AIError("words", code=code)

    assert isinstance(error, WorkError)
    assert (error.code, error.message) == (code.value, "words")
    assert error.retryable is (code in RETRYABLE)
    assert error.burns_attempt is (code != "rate_limited")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "99999"}, 3600),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Tuesday, 24-Nov-26 12:00:30 GMT"}, 30),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, 1),
        ({"retry-after": "Tue, 24 Nov 2026 12:10:30 GMT", "date": "Tue, 24 Nov 2026 12:10:00 GMT"}, 30),
        ({"retry-after-ms": "2500", "retry-after": "3"}, 2.5),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3),
        ({}, None),
        *(({"retry-after": text}, None) for text in ("", "soon", "-1", "+5", "1e9", "٣", "nan", "inf", "1" * 400, "Mon, 99 Foo 2026")),
        ({"retry-after": "Tue, 24 Nov 99999999999999999999 12:00:00 GMT"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:00 +99999999999999999999"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT", "date": "Tue, 24 Nov 2026 99999999999999999999:00:00 GMT"}, 30),
    ],
)
def test_a_wait_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Olga crosses. Then she", "Olga crosses."),
        ("Mr. Hale waits. Mr", "Mr. Hale waits."),
        ("Mr. Hale", ""),
        ("林晚走了。“你来”。他说：“我不", "林晚走了。“你来”。"),
        ('"Come!" she said. "I will not be', '"Come!" she said.'),
        ("第一段。\n\n第二段还没", "第一段。"),
        ("A whole one.", "A whole one."),
        ("no end at all", ""),
        ("", ""),
    ],
)
def test_a_cut_answer_is_kept_up_to_its_last_whole_sentence(text: str, kept: str) -> None:
    assert whole_sentences(text) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<think>hm\n\nhm</think>\n\nOlga crosses. ", "Olga crosses."),
        ("  <thinking>hm</thinking>Olga.", "Olga."),
        ("<think>and so on", ""),
        ("The writer wants\n\na summary.\n</think>\n\nOlga crosses.", "Olga crosses."),
        ("Short.</THINKING> Olga. <think>", "Olga. <think>"),
        ("Nothing comes of it.</think>", ""),
        ("Olga <think>s</think>.", "Olga <think>s</think>."),
        (" Olga. ", "Olga."),
    ],
)
def test_thinking_aloud_is_taken_off_the_front(text: str, kept: str) -> None:
    assert without_reasoning(text) == kept


def test_prompts_speak_the_language_of_the_text() -> None:
    system, user = messages(SummaryWork(text="林晚走进雨里。", title="雨", instructions="短一点"))
    assert (system.role, user.role) == ("system", "user")
    assert "你是小说编辑" in system.content
    assert "标题：雨" in user.content and "短一点" in user.content

    system, user = messages(SceneWork(summary="Olga crosses the bridge.", style="dry", target_words=500, context="Snow."))
    assert "You are a novelist" in system.content
    for words in ("Olga crosses the bridge.", "Style: dry", "about 500 words", "Snow."):
        assert words in user.content


def test_prompts_say_nothing_about_what_was_not_given() -> None:
    _, user = messages(SceneWork(summary="Olga crosses the bridge."))

    assert user.content == "<summary>\nOlga crosses the bridge.\n</summary>"
