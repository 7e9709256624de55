"""The offline provider's summaries: extracts a reader accepts as extracts."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ainoval.ai.prose.sentences import sentences
from ainoval.ai.providers.offline.summary import CHINESE, OTHER, summarise
from tests.support.ai_prose import ALL, CHINESE_SCENES, LIGHTHOUSE, PROTAGONISTS, RAIN

EVERY_SCENE = pytest.mark.parametrize("scene", ALL.values(), ids=ALL)


def bare(text: str) -> str:
    """A text without blanks: hard-wrapped lines and paragraph breaks do not matter when looking for an extract."""
    return re.sub(r"\s", "", text)


@EVERY_SCENE
def test_a_summary_is_made_of_whole_sentences_of_the_scene_in_their_order(scene: str) -> None:
    picked = [sentence.text for sentence in sentences(summarise(scene))]
    originals = [sentence.text for sentence in sentences(scene)]

    places = [originals.index(sentence) for sentence in picked]
    assert places == sorted(set(places))


@EVERY_SCENE
def test_a_summary_is_one_to_four_sentences_and_about_a_sixth_of_the_scene(scene: str) -> None:
    summary = summarise(scene)

    assert 1 <= len(sentences(summary)) <= 4
    assert 0.08 <= len(summary) / len(scene) <= 0.25
    assert len(summary) <= (CHINESE.most if scene in CHINESE_SCENES.values() else OTHER.most)


@pytest.mark.parametrize("name", PROTAGONISTS)
def test_a_summary_names_the_protagonist(name: str) -> None:
    assert PROTAGONISTS[name] in summarise(ALL[name])


@EVERY_SCENE
def test_a_summary_tells_instead_of_quoting_and_begins_with_nobody_unknown(scene: str) -> None:
    picked = sentences(summarise(scene))

    assert all(sentence.spoken < 0.5 for sentence in picked)
    assert not re.match(r"(?:He|She|It|They|This|That|But|And|Then)\b|[他她它这那]|但|可是", picked[0].text)


@EVERY_SCENE
def test_the_same_scene_always_gets_the_same_summary(scene: str) -> None:
    assert len({summarise(scene) for _ in range(3)}) == 1


def test_the_lighthouse_is_summarised_as_read() -> None:
    """One summary in full: a change of the rules that makes it worse is to be seen by a person."""
    assert summarise(LIGHTHOUSE) == (
        "Alice reached the lighthouse an hour before dark, with the storm already standing over the bay like a wall. "
        "Dr. Hale was sitting in the lamp room with a blanket round his shoulders and a rifle across his knees. "
        "Without the light they would be on the stones before midnight. Alice took the matches from her pocket."
    )


def test_the_rain_is_summarised_as_read() -> None:
    assert summarise(RAIN) == (
        "雨下到第三天，林晚终于在旧书店的阁楼里找到了父亲的那只铁盒。老周拄着拐杖慢慢爬上来，在她身边坐下，看了那张船票很久。"
        "二十年来，所有人都告诉她，父亲是坐船走的，走得干干净净，连一句话也没有留下。林晚把钥匙攥紧，攥得掌心生疼。"
    )


@pytest.mark.parametrize("text", ["林晚推开门，雨还在下。", "She left. The rain went on.", "Olga 走了。"])
def test_a_very_short_text_is_its_own_summary(text: str) -> None:
    assert summarise(f"\n  {text} \n") == text


def test_headings_are_left_out() -> None:
    assert "第三章" not in summarise("第三章 雨夜\n" + RAIN)
    assert "Chapter" not in summarise("Chapter 3\n\n" + LIGHTHOUSE)


def test_a_scene_of_nothing_but_talk_still_gets_an_extract() -> None:
    talk = "\n\n".join(f'"{sentence}"' for sentence in ("Who is it?", "Me.", "Open the door, I brought the letters you asked for.", "No.") * 4)

    summary = summarise(talk)

    assert summary and bare(summary.split('"')[1]) in bare(talk)


@pytest.mark.parametrize("text", ["a" * 5000, "字" * 5000, "word, " * 900, "词语，" * 2000])
def test_a_text_without_a_sentence_end_is_cut_at_a_pause_and_shows_it(text: str) -> None:
    summary = summarise(text)

    assert summary.endswith("…")
    assert text.startswith(summary[:-1])
    assert len(summary) <= OTHER.most


def test_mixed_languages_are_joined_each_in_its_own_way() -> None:
    assert summarise("林晚走了。Olga stayed. “Why?” she asked. 没有人知道。") == "林晚走了。Olga stayed. “Why?” she asked.没有人知道。"


@pytest.mark.parametrize("scene", [RAIN, LIGHTHOUSE], ids=["Chinese", "English"])
def test_a_scene_of_512_kib_takes_less_than_two_seconds(scene: str) -> None:
    size = 512 * 1024
    big = "\n\n".join(scene.replace("storm", f"storm of {n}").replace("二十年", f"{n}年") for n in range(size // len(scene.encode())))

    begun = time.thread_time()
    summary = summarise(big)

    assert time.thread_time() - begun < 2
    assert 1 <= len(sentences(summary)) <= 4


@pytest.mark.parametrize("unit", ['"', ". ", "'a ", "A. ", "“我”。", "\n", "a \n", "林晚。", "“", "‘a", "...", "他说：“", " ", "w1 w2 "])
def test_no_input_takes_quadratic_time(unit: str) -> None:
    text = "a" + unit * (64 * 1024 // len(unit.encode())) + "b"

    begun = time.thread_time()
    summarise(text)

    assert time.thread_time() - begun < 2  # a tenth of a second on an idle machine; quadratic would be minutes


@settings(max_examples=200, deadline=None)
@example(["b", "a", "…", "\n", "b"])
@example(["a", "\n", "a", "。"])
@given(st.lists(st.sampled_from([*"abcABC他她林晚。！？.!?…“”「」‘’'\"，, \n\t　說道said", "Mr. ", "said ", "林晚", "\n\n", "他说：", "Alice "]), max_size=300))
def test_any_text_gets_an_extract_of_itself(pieces: list[str]) -> None:
    text = "".join(pieces)

    summary = summarise(text)

    assert bool(summary) == any(character.isalnum() for character in text)
    assert len(summary) <= OTHER.most
    originals = [bare(sentence.text) for sentence in sentences(text)]
    assert all(original in bare(text) for original in originals)

    def falls_apart(whole: str) -> bool:
        """Whether it is some sentences of the text, from left to right, or the beginning of one; a sentence may begin as a shorter one does."""
        rests = {whole}
        for original in originals:
            rests |= {rest.removeprefix(original) for rest in rests}
        return any(original.startswith(rest) for rest in rests for original in [*originals, ""])

    # A mark of omission is the summary's own, or the end of a sentence of the text.
    assert falls_apart(bare(summary)) or falls_apart(bare(summary).removesuffix("…"))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=500))
def test_no_text_breaks_the_summary(text: str) -> None:
    assert summarise(text) == summarise(text)
