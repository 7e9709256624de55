"""Plain text files as novels."""

import time
from textwrap import dedent

import pytest

from ainoval.novels.errors import UnreadableNovel
from ainoval.novels.importing import ParsedNovel, parse_novel
from tests.support.novel_texts import chinese_novel, english_novel


def parsed(text: str, filename: str = "a-novel.txt", title: str | None = None) -> ParsedNovel:
    return parse_novel(dedent(text).encode(), filename, title)


def shape(novel: ParsedNovel) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Acts, chapters, contents."""
    return [(act.title, [(c.title, [scene.content for scene in c.scenes]) for c in act.chapters]) for act in novel.acts]


def chapters(novel: ParsedNovel) -> list[str]:
    return [chapter.title for act in novel.acts for chapter in act.chapters]


def test_chapters_and_scenes_of_a_chinese_novel() -> None:
    novel = parsed("《渡口》\n\n第一章 起\n　　他来了。\n　　她走了。\n\n***\n\n　　雨停了。\n第二章 承\n　　天亮了。\n")
    assert novel.title == "渡口"
    assert shape(novel) == [("", [("第一章 起", ["他来了。\n她走了。", "雨停了。"]), ("第二章 承", ["天亮了。"])])]


def test_chapters_and_scenes_of_an_english_novel() -> None:
    novel = parsed("Chapter One\n\nHe came.\n\n* * *\n\nShe left.\n\nChapter Two: Rain\n\nIt stopped.\n", "The Ferry.txt")
    assert novel.title == "The Ferry"
    assert shape(novel) == [("", [("Chapter One", ["He came.", "She left."]), ("Chapter Two: Rain", ["It stopped."])])]


def test_acts_hold_the_chapters_that_follow() -> None:
    novel = parsed("Prologue\n\nBefore.\n\nPart One\n\nChapter 1\n\nA.\n\nPart Two\n\nChapter 2\n\nB.\n\nEpilogue\n\nAfter.\n")
    assert shape(novel) == [
        ("", [("Prologue", ["Before."])]),
        ("Part One", [("Chapter 1", ["A."])]),
        ("Part Two", [("Chapter 2", ["B."]), ("Epilogue", ["After."])]),
    ]


def test_an_act_repeated_before_each_chapter_is_one_act() -> None:
    novel = parsed("第一卷 风起 第一章 初遇\n甲。\n第一卷 风起 第二章 重逢\n乙。\n第二卷 云涌 第三章 别离\n丙。\n")
    assert shape(novel) == [
        ("第一卷 风起", [("第一章 初遇", ["甲。"]), ("第二章 重逢", ["乙。"])]),
        ("第二卷 云涌", [("第三章 别离", ["丙。"])]),
    ]


def test_sections_within_chapters_are_scenes() -> None:
    novel = parsed("第一章 城\n第一节 门\n甲。\n第二节 桥\n乙。\n第二章 河\n丙。\n")
    assert [(s.title, s.content) for s in novel.acts[0].chapters[0].scenes] == [("第一节 门", "甲。"), ("第二节 桥", "乙。")]
    assert chapters(novel) == ["第一章 城", "第二章 河"]


def test_sections_without_chapters_are_chapters() -> None:
    assert chapters(parsed("第一节 门\n甲。\n第二节 桥\n乙。\n")) == ["第一节 门", "第二节 桥"]


def test_an_epigraph_of_an_act_is_a_chapter_of_its_title() -> None:
    novel = parsed("Part One\n\nAll rivers lie.\n\nChapter 1\n\nA.\n")
    assert shape(novel) == [("Part One", [("Part One", ["All rivers lie."]), ("Chapter 1", ["A."])])]


def test_a_text_without_headings_is_one_chapter_with_the_novels_title() -> None:
    novel = parsed("He came.\n\n***\n\nShe left.\n", "letters/home.TXT")
    assert shape(novel) == [("", [("home", ["He came.", "She left."])])]


def test_text_before_the_first_heading_is_front_matter() -> None:
    assert chapters(parsed("For my mother, who knew.\nAnd for the sea.\n\nChapter 1\n\nA.\n")) == ["Front matter", "Chapter 1"]
    assert chapters(parsed("献给我的母亲，\n她什么都知道。\n\n第一章\n甲。\n")) == ["卷首", "第一章"]


def test_a_title_alone_before_the_first_heading_is_no_front_matter() -> None:
    novel = parsed("The Salt Road\n\n\nChapter 1\n\nA.\n")
    assert (novel.title, chapters(novel)) == ("The Salt Road", ["Chapter 1"])


def test_a_title_that_the_reader_overrules_stays_as_front_matter() -> None:
    novel = parsed("The Salt Road\n\nChapter 1\n\nA.\n", title="Draft 7")
    assert (novel.title, shape(novel)[0][1][0]) == ("Draft 7", ("Front matter", ["The Salt Road"]))


def test_a_table_of_contents_makes_no_chapters() -> None:
    novel = parsed(
        """\
        The Salt Road

        CONTENTS

        Prologue ............ 1
        Part One
        Chapter 1. Salt ..... 5
        Chapter 2. Road ..... 19
        Part Two
        Chapter 3. Home ..... 40


        Prologue

        P.

        Part One

        Chapter 1. Salt

        A.

        Chapter 2. Road

        B.

        Part Two

        Chapter 3. Home

        C.
        """
    )
    assert novel.title == "The Salt Road"
    assert shape(novel) == [
        ("", [("Prologue", ["P."])]),
        ("Part One", [("Chapter 1. Salt", ["A."]), ("Chapter 2. Road", ["B."])]),
        ("Part Two", [("Chapter 3. Home", ["C."])]),
    ]


def test_a_chinese_table_of_contents_makes_no_chapters() -> None:
    entries = "\n".join(f"第{n}章 夜{n}" for n in range(1, 60))
    text = "\n".join(f"第{n}章 夜{n}\n　　第{n}夜，没有人睡。\n" for n in range(1, 60))
    novel = parsed(f"夜航\n\n目录\n{entries}\n\n{text}")
    assert novel.title == "夜航"
    assert chapters(novel) == [f"第{n}章 夜{n}" for n in range(1, 60)]


def test_text_after_a_table_of_contents_belongs_to_the_front() -> None:
    novel = parsed(
        "Contents\n\nChapter 1\nChapter 2\nChapter 3\nChapter 4\n\nFor Ann.\n\nChapter 1\n\nA.\n\nChapter 2\n\nB.\n\nChapter 3\n\nC.\n\nChapter 4\n\nD.\n"
    )
    assert shape(novel)[0][1][0] == ("Front matter", ["For Ann."])
    assert chapters(novel)[1:] == ["Chapter 1", "Chapter 2", "Chapter 3", "Chapter 4"]


def test_a_heading_that_is_said_twice_is_one_chapter() -> None:
    assert shape(parsed("第一章 起\n第一章 起\n甲。\n第二章 承\n乙。\n")) == [("", [("第一章 起", ["甲。"]), ("第二章 承", ["乙。"])])]


def test_a_chapter_that_waits_for_its_text_stays() -> None:
    assert chapters(parsed("第一章 起\n甲。\n第二章 待续\n\n第三章 转\n丙。\n")) == ["第一章 起", "第二章 待续", "第三章 转"]


def test_a_title_on_the_line_below_its_label_belongs_to_it() -> None:
    novel = parsed("CHAPTER I.\nDown the Well\n\nShe fell.\n\nChapter Two\nThe Pool\n\nShe swam.\n\n第三章\n归途\n\n她走了。\n")
    assert chapters(novel) == ["CHAPTER I. Down the Well", "Chapter Two: The Pool", "第三章 归途"]


def test_a_short_sentence_below_a_label_is_text() -> None:
    novel = parsed("Chapter One\nIt rained.\n\nNobody came.\n\nChapter Two\nagain\n\nHe left.\n")
    assert shape(novel) == [("", [("Chapter One", ["It rained.\n\nNobody came."]), ("Chapter Two", ["again\n\nHe left."])])]


@pytest.mark.parametrize(
    "paragraph",
    [
        "He had always thought that the best of all the parts of the book was the end of\nChapter Twelve\nand he said so whenever anybody would listen, once.",
        "Chapter Six: that was where she had stopped, with his letter still folded under\nthe plate.",
    ],
)
def test_a_line_of_a_wrapped_paragraph_that_begins_with_chapter_is_text(paragraph: str) -> None:
    filler = "\n\n".join(
        ["The rain went on and on over the roofs of the town, and nobody who lived there\nthought it worth a word, not even the children."] * 12
    )
    novel = parsed(f"CHAPTER 1\n\n{filler}\n\n{paragraph}\n\n{filler}\n\nCHAPTER 2\n\n{filler}\n")
    assert chapters(novel) == ["CHAPTER 1", "CHAPTER 2"]


def test_three_blank_lines_are_a_scene_break() -> None:
    assert shape(parsed("Chapter 1\n\nA.\n\nB.\n\n\n\nC.\n")) == [("", [("Chapter 1", ["A.\n\nB.", "C."])])]


def test_three_blank_lines_between_all_paragraphs_are_only_the_files_way() -> None:
    novel = parsed("Chapter 1\n\n" + "\n\n\n\n".join(f"Paragraph {n}." for n in range(40)))
    assert novel.scene_count == 1


def test_numbers_alone_are_chapters_where_there_are_no_other_headings() -> None:
    assert chapters(parsed("I\n\nHe came.\n\nII\n\nShe left.\n\nIII\n\nRain.\n")) == ["I", "II", "III"]
    assert chapters(parsed("1.\n\nHe came.\n\n2.\n\nShe left.\n\n3.\n\nRain.\n")) == ["1.", "2.", "3."]
    assert chapters(parsed("一\n\n甲。\n\n二\n\n乙。\n\n三\n\n丙。\n")) == ["一", "二", "三"]


def test_numbers_that_do_not_count_up_are_text() -> None:
    assert parsed("7\n\nA.\n\n12\n\nB.\n\n3\n\nC.\n").chapter_count == 1


def test_the_licence_at_the_end_of_a_free_book_is_a_chapter_of_its_own() -> None:
    novel = parsed(
        "Title: Tides\n\n*** START OF THE PROJECT GUTENBERG EBOOK TIDES ***\n\nChapter 1\n\nA.\n\n*** END OF THE PROJECT GUTENBERG EBOOK TIDES ***\n\nTerms.\n"
    )
    assert novel.title == "Tides"
    assert chapters(novel) == ["Front matter", "Chapter 1", "END OF THE PROJECT GUTENBERG EBOOK TIDES"]


def test_windows_files_with_a_mark_read_like_others() -> None:
    text = "第一章 起\n\n　　甲。\n\n***\n\n　　乙。\n"
    plain = parse_novel(text.encode(), "a.txt")
    assert parse_novel(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), "a.txt") == plain
    assert parse_novel(text.replace("\n", "\r\n").encode("utf-16"), "a.txt") == plain
    assert parse_novel(text.encode("gb18030"), "a.txt") == plain


def test_a_scene_over_the_limit_is_cut_at_a_paragraph_and_nothing_is_lost() -> None:
    paragraph = "她在渡口等了很久，船没有来。" * 40
    text = "\n\n".join([paragraph] * 1200)
    scenes = parse_novel(f"第一章\n{text}".encode(), "a.txt").acts[0].chapters[0].scenes
    assert len(scenes) == 4
    assert all(len(scene.content.encode()) <= 512 * 1024 for scene in scenes)
    assert all(paragraph == part for scene in scenes for part in scene.content.split("\n\n"))
    assert "\n\n".join(scene.content for scene in scenes) == text


def test_a_scene_without_paragraphs_is_cut_after_a_sentence_or_anywhere() -> None:
    sentences = parse_novel(("她走了。" * 100_000).encode(), "a.txt").acts[0].chapters[0].scenes
    assert [scene.content[-1] for scene in sentences] == ["。", "。", "。"]
    letters = parse_novel(("河" * 400_000).encode(), "a.txt").acts[0].chapters[0].scenes
    assert "".join(scene.content for scene in letters) == "河" * 400_000


def test_a_title_over_the_limit_stands_in_full_as_the_first_line_of_its_text() -> None:
    title = "CHAPTER I. " + "TREATS OF THE PLACE " * 9 + "AND MORE"
    novel = parse_novel(f"# {title} {title}\n\nA.\n".encode(), "a.md")
    chapter = novel.acts[0].chapters[0]
    assert len(chapter.title) == 200
    assert chapter.scenes[0].content == f"{title} {title}\n\nA."


@pytest.mark.parametrize(
    ("data", "filename", "code"),
    [
        (b"", "a.txt", "empty_file"),
        (b" \n\n\r\n\t", "a.txt", "empty_novel"),
        ("\ufeff".encode(), "a.md", "empty_novel"),
        (b"Chapter 1\n\nChapter 2\n", "a.txt", "empty_novel"),
        (b"text", "a.docx", "unknown_format"),
        (b"text", "txt", "unknown_format"),
        (b"text", "", "unknown_format"),
        (b"%PDF-1.7\n\x00\x01\x02\x03\x04\x05" * 20, "a.txt", "binary_file"),
        (b"a" * (20 * 1024 * 1024 + 1), "a.txt", "file_too_large"),
        (b"a\n***\n" * 20_001, "a.txt", "too_many_scenes"),
        ("第一章\n甲。\n".encode() * 5_001, "a.txt", "too_many_chapters"),
        ("第一章\n".encode() * 60_000, "a.txt", "too_many_chapters"),
        (b"a\n" * 1_000_001, "a.txt", "too_many_lines"),
    ],
)
def test_what_is_no_novel_is_refused_with_a_code(data: bytes, filename: str, code: str) -> None:
    with pytest.raises(UnreadableNovel) as refused:
        parse_novel(data, filename)
    assert refused.value.code == code
    assert refused.value.message


def test_a_classic_of_five_megabytes_is_read_in_two_seconds() -> None:
    english = english_novel(chapters=470)
    chinese = chinese_novel(chapters=700)
    assert min(len(english.encode()), len(chinese.encode())) > 5_000_000
    for text, count in ((english, 470), (chinese, 700)):
        started = time.process_time()
        novel = parse_novel(text.encode(), "classic.txt")
        assert time.process_time() - started < 2
        assert novel.scene_count == 3 * count + 1  # and the front matter


def test_a_large_english_novel_keeps_its_shape() -> None:
    novel = parse_novel(english_novel(chapters=40).encode(), "a.txt")
    assert novel.title == "The Bells of Marrow Quay"
    assert [c.title.split(".")[0] for c in novel.acts[0].chapters] == ["Front matter", *(f"CHAPTER {n}" for n in range(1, 41))]
    assert {len(c.scenes) for c in novel.acts[0].chapters[1:]} == {3}


def test_a_large_chinese_novel_keeps_its_shape() -> None:
    novel = parse_novel(chinese_novel(chapters=120).encode("gb18030"), "a.txt")
    assert novel.title == "白沙渡"
    assert [act.title[:3] for act in novel.acts] == ["", "第一卷", "第二卷", "第三卷"]
    assert [len(act.chapters) for act in novel.acts] == [1, 50, 50, 20]
    assert {len(c.scenes) for act in novel.acts[1:] for c in act.chapters} == {3}


@pytest.mark.parametrize(
    "text",
    [
        "Chapter 1" + "." * 1_000_000 + "x1",
        ("." * 298 + "x1\n") * 3_500,
        ("Chapter 1 " + "A " * 90 + "\n") * 2_000,
        ("第一章 " + "第" * 190 + "\n") * 2_000,
        ("卷" * 200 + "\n") * 2_000,
        "* " * 500_000,
        "# " + " " * 500_000 + "x" + " #" * 250_000,
        "---\ntitle: a" + " " * 1_000_000 + "b\n---\n# One\n\nA.\n",
        "\\" * 1_000_000,
        " " * 1_000_000 + "x",
        "\u0301" * 1_000_000 + "x",
        "'" * 1_000_000 + "x",
    ],
)
@pytest.mark.parametrize("extension", [".txt", ".md"])
def test_no_text_takes_more_time_than_its_length_deserves(text: str, extension: str) -> None:
    started = time.process_time()
    parse_novel(f"{text}\n\nend".encode(), f"a{extension}")
    assert time.process_time() - started < 2
