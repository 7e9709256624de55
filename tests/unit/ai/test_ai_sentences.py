"""Cutting Chinese and English prose into sentences."""

import pytest

from ainoval.ai.prose.quotations import quotations
from ainoval.ai.prose.sentences import sentences


def cut(text: str) -> list[str]:
    return [sentence.text for sentence in sentences(text)]


CASES = {
    "abbreviations": (
        "Mr. Penrose met Dr. Hale at 5 p.m. on St. John's Road. It cost 3.50 pounds. J. R. Marsh paid.",
        ["Mr. Penrose met Dr. Hale at 5 p.m. on St. John's Road.", "It cost 3.50 pounds.", "J. R. Marsh paid."],
    ),
    "a weak abbreviation ends a sentence before a capital": ("He came at 5 p.m. Nobody was there.", ["He came at 5 p.m.", "Nobody was there."]),
    "I is no initial": ("It was I. Nobody else came.", ["It was I.", "Nobody else came."]),
    "speech stays with its tag": ('"Stop! Come back!" she cried. He ran.', ['"Stop! Come back!" she cried.', "He ran."]),
    "a tag with a name": ('"Where is it?" Alice asked. "Here."', ['"Where is it?" Alice asked.', '"Here."']),
    "a tag in the middle": ('"I know," she said, "that you lie." He left.', ['"I know," she said, "that you lie."', "He left."]),
    "narration after speech": ('"Stop!" The door slammed.', ['"Stop!"', "The door slammed."]),
    "curly single quotes and apostrophes": (
        "‘I don’t know,’ said Alice. ‘The boys’ room is locked.’ She left.",
        ["‘I don’t know,’ said Alice.", "‘The boys’ room is locked.’", "She left."],
    ),
    "straight single quotes": ("'Don't go,' said Bob. 'Not yet.' Alice's hand shook.", ["'Don't go,' said Bob.", "'Not yet.'", "Alice's hand shook."]),
    "an ellipsis is a pause": ("He waited... and waited. Then he left…", ["He waited... and waited.", "Then he left…"]),
    "Chinese speech with a tag": ("“我不走。你走吧。”他低声说。林晚没有动。", ["“我不走。你走吧。”他低声说。", "林晚没有动。"]),
    "Chinese speech before narration": ("“走吧！”林晚转身推开了那扇沉重的门。", ["“走吧！”", "林晚转身推开了那扇沉重的门。"]),
    "knowing is not saying": ("“走吧。”她知道他不会回头。", ["“走吧。”", "她知道他不会回头。"]),
    "corner brackets": ("「我師弟在哪裡？」沈青崖問。沒有人回答。", ["「我師弟在哪裡？」沈青崖問。", "沒有人回答。"]),
    "speech announced by a colon": ("老周说：“船早就开了。你来晚了。”她不信。", ["老周说：“船早就开了。你来晚了。”", "她不信。"]),
    "a Chinese pause": ("他……走了。天黑了！？", ["他……走了。", "天黑了！？"]),
    "both languages": ("顾言说 OK. 然后他走了。She left.", ["顾言说 OK.", "然后他走了。", "She left."]),
    "a mark that is never closed": ("“我不知道。他走了。天黑了。", ["“我不知道。", "他走了。", "天黑了。"]),
    "hard-wrapped English": (
        "Alice reached the lighthouse an hour before\ndark, alone. Nobody came.",
        ["Alice reached the lighthouse an hour before dark, alone.", "Nobody came."],
    ),
    "hard-wrapped Chinese": ("雨下到第三天，林晚终于在旧书店的阁楼里找到\n了父亲的铁盒。", ["雨下到第三天，林晚终于在旧书店的阁楼里找到了父亲的铁盒。"]),
    "indented lines are paragraphs": (
        "　　林晚推开了门，屋里没有点灯，也没有人说话\n　　老周不在。",
        ["林晚推开了门，屋里没有点灯，也没有人说话", "老周不在。"],
    ),
    "scraps without letters": ("***\n\nHe left. … !\n\n——", ["He left."]),
    "nothing": (" \n\t　", []),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize("heading", ["第三章 雨夜", "# Chapter 4", "Chapter IV. The Storm", "*Berlin, 1946*", "第12回 林晚夜访听雨楼。"])
def test_headings_are_told_from_prose(heading: str) -> None:
    *above, first, second = sentences(f"{heading}\n\nOlga waited. 林晚在等。")

    assert above and all(sentence.is_heading for sentence in above)
    assert not first.is_heading and not second.is_heading


def test_the_share_of_speech_is_measured() -> None:
    spoken = [sentence.spoken for sentence in sentences('He left. "Nothing but talk here." "Half," she said, "of it is, more or less, talk."')]

    assert spoken[0] == 0
    assert spoken[1] > 0.9
    assert 0.4 < spoken[2] < 0.9


def test_only_the_outer_quotation_counts() -> None:
    text = "他说：“她讲的是‘不去’，不是‘去’。”然后走了。"

    assert [text[start:end] for start, end in quotations(text)] == ["“她讲的是‘不去’，不是‘去’。”"]
