"""How long a text is, counted as writers count: a Chinese character is one, an English word is one."""

import re
from typing import Final

# Ideographs, their iteration mark and zero, and kana. Hangul is written with spaces between words, so its runs are words.
_CJK: Final = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CJK_RUN = re.compile(f"[{_CJK}]+")
# An apostrophe or a combining accent inside a word does not end it.
_WORD = re.compile(r"[^\W_][^\W_\u0300-\u036f]*(?:['’\u0300-\u036f]+[^\W_]+)*")


def cjk_count(text: str) -> int:
    """Return the number of CJK characters."""
    return sum(map(len, _CJK_RUN.findall(text)))


def word_count(text: str) -> int:
    """Return the number of CJK characters plus the number of other runs of letters and digits.

    >>> word_count("Hello, world! 你好，世界")
    6
    """
    return cjk_count(text) + sum(1 for _ in _WORD.finditer(_CJK_RUN.sub(" ", text)))


def has_words(text: str) -> bool:
    """Say whether there is a letter or a digit in a text: in what holds the place of one (`……`, `* * *`, an editor's zero-width space) there is none."""
    return any(character.isalnum() for character in text)


def is_mostly_cjk(text: str) -> bool:
    """Say whether a reader of this text reads Chinese (or Japanese): used to choose the language of a title we have to make up."""
    sample = text[:20_000]
    return cjk_count(sample) * 2 > sum(1 for _ in _WORD.finditer(_CJK_RUN.sub(" ", sample)))
