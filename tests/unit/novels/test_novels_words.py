"""Counting words as writers do."""

import pytest

from ainoval.novels.words import is_mostly_cjk, word_count


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("  \n　", 0),
        ("……——！？", 0),
        ("Hello, world!", 2),
        ("She didn't. They’re 42.", 4),
        ("well-known", 2),
        ("snake_case", 2),
        ("你好，世界。", 4),
        ("他说OK，然后走了", 7),
        ("第12章", 3),
        ("人々〇", 3),
        ("ひらがなカタカナ", 8),
        ("한국어 문장", 2),
        ("naïve café", 2),
        ("nai\u0308ve cafe\u0301", 2),
        ("𠮷野家", 3),
    ],
)
def test_a_cjk_character_is_one_word_and_so_is_any_other_run_of_letters_and_digits(text: str, words: int) -> None:
    assert word_count(text) == words


def test_the_language_of_a_text_is_that_of_most_of_its_words() -> None:
    assert is_mostly_cjk("他在读 War and Peace，已经读了三天三夜。")
    assert not is_mostly_cjk("He said 你好 and went on with his work.")
    assert not is_mostly_cjk("")
