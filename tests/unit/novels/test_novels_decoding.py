"""Bytes to text: which encodings are read, and which files are refused."""

import random

import pytest

from ainoval.novels.errors import UnreadableNovel
from ainoval.novels.importing.decoding import decode
from tests.support.novel_texts import chinese_novel

CHINESE = "第一章 渡口\n　　他在河边站了很久，没有说话。\n　　“你来了。”她说，“我等了一天。”\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030", "gbk", "gb2312"])
def test_chinese_text_is_read_in_its_usual_encodings(encoding: str) -> None:
    assert decode(CHINESE.encode(encoding)) == CHINESE


@pytest.mark.parametrize("mark", [b"\xfe\xff", b"\xff\xfe"])
def test_both_byte_orders_of_utf_16_are_read(mark: bytes) -> None:
    encoding = "utf-16-be" if mark == b"\xfe\xff" else "utf-16-le"
    assert decode(mark + "Chapter One\n你好".encode(encoding)) == "Chapter One\n你好"


def test_a_long_gb18030_novel_is_read() -> None:
    text = chinese_novel(chapters=20)
    assert decode(text.encode("gb18030")) == text


def test_traditional_chinese_in_gb18030_is_read() -> None:
    text = "第一章 舊夢\n　　他們說那個孩子從來沒有見過大海，可是她記得每一個浪的名字。這是很久以前的事了。" * 20
    assert decode(text.encode("gb18030")) == text


def test_line_breaks_of_all_kinds_become_one() -> None:
    assert decode("a\r\nb\rc\u2028d\u0085e\x0cf".encode()) == "a\nb\nc\nd\ne\nf"


def test_nul_and_other_control_characters_are_removed() -> None:
    assert decode(b"One\x00 day" + b" she left." * 200 + b"\x1a\x7f" + "\ufeff\u200d".encode()) == "One day" + " she left." * 200 + "\u200d"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Ein schöner Tag für Rügen, dachte er, während der Regen fiel. " * 30, "latin-1"),
        ("The café was empty.", "cp1252"),
        ("“Don’t,” she said — and he didn’t. " * 30, "cp1252"),
        ("他們說那個孩子從來沒有見過大海，可是她記得每一個浪的名字。這是很久以前的事了。" * 20, "big5"),
        ("彼は河のそばに立っていた。雨が降っていた。誰も何も言わなかった。" * 20, "shift_jis"),
        ("Он долго стоял у реки и молчал. " * 30, "cp1251"),
    ],
)
def test_a_text_in_another_encoding_is_refused_rather_than_garbled(text: str, encoding: str) -> None:
    with pytest.raises(UnreadableNovel, match="UTF-8") as refused:
        decode(text.encode(encoding))
    assert refused.value.code == "unknown_encoding"


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\xff\xfe\x00\xd8", b"\xef\xbb\xbf\xff"])
def test_a_file_that_breaks_what_its_mark_promises_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableNovel, match="broken at byte") as refused:
        decode(data)
    assert refused.value.code == "unknown_encoding"


@pytest.mark.parametrize("seed", range(5))
def test_a_binary_file_is_refused(seed: int) -> None:
    with pytest.raises(UnreadableNovel) as refused:
        decode(random.Random(seed).randbytes(4096))
    assert refused.value.code in {"unknown_encoding", "binary_file"}


def test_ascii_full_of_control_characters_is_a_binary_file() -> None:
    with pytest.raises(UnreadableNovel) as refused:
        decode(b"\x7fELF\x02\x01\x01\x00" * 50)
    assert refused.value.code == "binary_file"
