"""Long novels made by code: deterministic, with the shape of real files and no text of anybody's."""

import random
import textwrap

_SUBJECTS = ("The harbour master", "Old Pernille", "Her brother", "The clerk from the customs house", "Nobody in the street", "A boy with a lantern")
_VERBS = ("counted", "remembered", "carried away", "refused to sell", "had painted", "was looking for", "could not forgive", "wrote down")
_OBJECTS = ("the third bell", "a letter without a stamp", "the flooded stairs", "every name on the list", "the long winter", "two of the keys")
_ENDS = ("before the tide turned", "and said nothing of it", "as if it were a debt", "while the rain went on", "for the second time that week", "again")
_WHO = ("沈砚", "她", "老船工", "那个孩子", "城里的人", "茶馆的掌柜", "陆知秋")
_DID = ("把信折好", "看着河水", "没有回答", "数完了最后一枚铜钱", "推开了门", "想起了那年的雪", "低声念出那个名字")
_THEN = ("，雨还在下", "，谁也不说话", "，灯一盏一盏地灭了", "，像是欠着一笔账", "，钟声从对岸传来", "，他到底还是走了")
_CN_DIGITS = "零一二三四五六七八九"


def english_paragraph(chance: random.Random) -> str:
    """Return a paragraph of some sentences."""
    return " ".join(f"{chance.choice(_SUBJECTS)} {chance.choice(_VERBS)} {chance.choice(_OBJECTS)} {chance.choice(_ENDS)}." for _ in range(6))


def chinese_paragraph(chance: random.Random) -> str:
    """Return a paragraph of some sentences."""
    return "".join(f"{chance.choice(_WHO)}{chance.choice(_DID)}{chance.choice(_THEN)}。" for _ in range(6))


def chinese_number(number: int) -> str:
    """Return a number from 1 to 9,999 as in 第一千零二十四章."""
    parts = []
    for unit, value in (("千", 1000), ("百", 100), ("十", 10), ("", 1)):
        digit, number = divmod(number, value)
        if digit:
            parts.append(_CN_DIGITS[digit] + unit)
        elif parts and parts[-1] != "零" and number:
            parts.append("零")
    return "".join(parts)


def english_novel(*, chapters: int, scenes: int = 3, paragraphs: int = 8, seed: int = 1) -> str:
    """Return a novel as it comes from a library of free books: front matter, a table of contents, wrapped lines, three scenes a chapter."""
    chance = random.Random(seed)
    contents = [f" CHAPTER {number}. The {_OBJECTS[number % 6].split()[-1].title()}" for number in range(1, chapters + 1)]
    lines = ["Title: The Bells of Marrow Quay", "", "This eBook was made by code.", "", "CONTENTS", "", *contents, "", ""]
    for number in range(1, chapters + 1):
        lines += ["", "", f"CHAPTER {number}. The {_OBJECTS[number % 6].split()[-1].title()}", "", ""]
        for scene in range(scenes):
            lines += ["       * * *", ""] if scene else []
            for _ in range(paragraphs):
                lines += [*textwrap.wrap(english_paragraph(chance), 72), ""]
    return "\r\n".join(lines)


def chinese_novel(*, chapters: int, scenes: int = 3, paragraphs: int = 8, seed: int = 1) -> str:
    """Return a novel as it comes from the web: volumes, indented paragraphs, one line each."""
    chance = random.Random(seed)
    lines = ["《白沙渡》", "作者：无名", ""]
    for number in range(1, chapters + 1):
        if number % 50 == 1:
            lines += [f"第{chinese_number(number // 50 + 1)}卷 {chance.choice(_DID)}", ""]
        lines += [f"第{chinese_number(number)}章 {chance.choice(_DID)}", ""]
        for scene in range(scenes):
            lines += ["", "", "", ""] if scene else []
            lines += [f"　　{chinese_paragraph(chance)}" for _ in range(paragraphs)]
        lines.append("")
    return "\n".join(lines)
