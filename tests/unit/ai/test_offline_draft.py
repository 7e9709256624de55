"""The offline provider's scene drafts: plain, grammatical, and with nothing invented."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ainoval.ai.providers.offline import phrases_en, phrases_zh
from ainoval.ai.providers.offline.draft import draft
from ainoval.novels.words import cjk_count, word_count

PRESENT = "Alice reaches the lighthouse in a storm. She finds Dr. Hale guarding the lamp. Alice lights the lamp anyway."
PAST = "Alice reached the lighthouse in a storm. She found Dr. Hale guarding the lamp. Alice lit the lamp anyway."
CHINESE = "林晚在旧书店的阁楼里找到了父亲的铁盒，里面只有一张船票。老周交出了另外半枚铜钥匙。林晚冲进雨里，去找听雨楼。"
TRADITIONAL = "沈青崖獨闖斷雲寨，為的是救師弟。沈青崖交出了一卷劍譜，最後背著師弟離開。"
EVERY_SUMMARY = pytest.mark.parametrize("summary", [PRESENT, PAST, CHINESE, TRADITIONAL])


@EVERY_SUMMARY
def test_every_sentence_of_the_summary_is_in_the_draft_in_order(summary: str) -> None:
    text = draft(summary, 300)

    told = re.findall(r"[^。]+。", summary) if summary in (CHINESE, TRADITIONAL) else re.split(r"(?<=[a-z]\.) (?=[A-Z])", summary)
    places = [text.index(sentence) for sentence in told]
    assert len(told) >= 2
    assert places == sorted(places)


@EVERY_SUMMARY
@pytest.mark.parametrize("target", [120, 200, 350])
def test_a_draft_comes_near_to_its_target(summary: str, target: int) -> None:
    assert 0.8 * target <= word_count(draft(summary, target)) <= 1.2 * target


@EVERY_SUMMARY
def test_a_draft_never_repeats_a_sentence_even_when_the_target_is_far(summary: str) -> None:
    text = draft(summary, 20_000)

    found = re.findall(r"[^.。\n]+[.。]", text)
    assert len(found) > 30
    assert len(set(found)) == len(found)


@EVERY_SUMMARY
def test_the_same_summary_always_gets_the_same_draft_and_another_one_another(summary: str) -> None:
    assert draft(summary, 200) == draft(summary, 200)
    assert draft(summary, 200).split("\n\n")[1:] != draft(summary + " 。", 200).split("\n\n")[1:]


def test_a_target_shorter_than_the_summary_gives_the_summary() -> None:
    assert draft(CHINESE, 10).replace("\n\n", "") == CHINESE


def test_the_draft_is_in_the_summarys_language_tense_and_script() -> None:
    assert cjk_count(draft(PRESENT, 300)) == 0
    assert not re.search(r"[a-z]", draft(CHINESE, 300))
    assert len(re.findall(r"\b(?:was|were|had|did)\b", draft(PRESENT, 300))) == 0
    assert len(re.findall(r"\b(?:is|are|has|does)\b", draft(PAST, 300))) == 0
    assert "这" not in draft(TRADITIONAL, 300) and "這" in draft(TRADITIONAL, 300)


def test_the_draft_speaks_of_the_person_in_the_summary() -> None:
    assert draft(PAST, 300).count("Alice") > 4
    assert draft(CHINESE, 300).count("林晚") > 4
    assert draft(TRADITIONAL, 300).count("沈青崖") > 4


def test_a_summary_without_a_name_gets_none() -> None:
    text = draft("The brothers quarrelled about the letter. Rain fell all night.", 300)

    assert "{" not in text and "Rain " in text and "Rain took" not in text and "Rain waited" not in text


@pytest.mark.parametrize("bank", [phrases_en, phrases_zh])
def test_no_placeholder_is_left_over(bank: object) -> None:
    for summary in (PRESENT, PAST, CHINESE, TRADITIONAL, "一封信。", "a letter"):
        assert not re.search(r"[\[\]{}]", draft(summary, 20_000))


def test_a_sentence_without_its_full_stop_gets_one() -> None:
    assert draft("只有一句", 60).startswith("只有一句。")
    assert draft("Only one", 60).startswith("Only one. ")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.none() | st.integers(min_value=-5, max_value=100_000))
def test_no_summary_breaks_the_draft(summary: str, target: int | None) -> None:
    text = draft(summary, target)

    assert bool(text) == any(character.isalnum() for character in summary)
