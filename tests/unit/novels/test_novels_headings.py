"""Which lines are headings."""

import pytest

from ainoval.novels.importing.breaks import is_scene_break
from ainoval.novels.importing.headings import headings
from ainoval.novels.importing.marks import Kind


@pytest.mark.parametrize(
    "line",
    [
        "第一章",
        "第1章",
        "第１２章 归途",
        "第十二章 标题",
        "第一回 甄士隐梦幻识通灵　贾雨村风尘怀闺秀",
        "第一百零八章：大结局？",
        "第三章、夜雨",
        "第三章 这一剑，我接了！",
        "第二章在路上",
        "第1024节 更新",
        "正文 第五章 起",
        "【第七章 城】",
        "序章",
        "楔子 雪夜",
        "尾声",
        "番外一 旧事",
        "后记",
        "Chapter XII",
        "CHAPTER 12. Title",
        "Chapter One",
        "Chapter Twenty-One: Ashes",
        "CHAPTER I. TREATS OF THE PLACE WHERE THE HEIRESS WAS BORN AND OF THE CIRCUMSTANCES ATTENDING HER BIRTH",
        "Chapter the First",
        "Chapter XII The Return of the Heron",
        "chapter iii",
        "Chapter 3 — in which nothing happens",
        "Prologue",
        "EPILOGUE",
        "Epilogue: Ten Years Later",
    ],
)
def test_a_chapters_heading_is_found(line: str) -> None:
    assert [heading.kind for heading in headings(line)] == [Kind.CHAPTER]


@pytest.mark.parametrize(
    "line", ["第一卷", "第一卷 风起", "第二部 归来", "第三部分", "卷一 初见", "上卷", "中篇：河", "Part One", "PART II: The Wreck", "Book II", "Volume 3"]
)
def test_an_acts_heading_is_found(line: str) -> None:
    assert [heading.kind for heading in headings(line)] == [Kind.ACT]


@pytest.mark.parametrize(
    "line",
    [
        "第三章里他写道，人终究要回去的。",
        "第三章的结尾让她哭了",
        "第三章是他写得最好的一章",
        "第一卷他翻了三遍，第二卷却怎么也找不到。",
        "第一次见到她，是在渡口",
        "第二天一早",
        "序曲响起的时候，他们都站了起来",
        "后来",
        "Chapter 12 was the one he kept.",
        "Chapter Three of her life began on a Tuesday.",
        "Chapter and verse, she had it all.",
        "Part of him wanted to stay.",
        "Book lovers are a patient people.",
        "Part two of the plan was simple",
        "Prologue to what, he wondered.",
        "Introduction to strangers made him shy.",
        "chapter three went badly",
        "Chapter 7 Hannah read twice, and then again, and then she burned it.",
        "Civil war",
        "",
        "I",
    ],
)
def test_a_sentence_that_begins_like_a_heading_is_none(line: str) -> None:
    assert headings(line) == ()


def test_one_line_may_begin_an_act_and_a_chapter() -> None:
    assert [(heading.kind, heading.title) for heading in headings("第一卷 起风 第三章 初遇")] == [
        (Kind.ACT, "第一卷 起风"),
        (Kind.CHAPTER, "第三章 初遇"),
    ]
    assert [heading.title for heading in headings("第一卷 第三章 初遇")] == ["第一卷", "第三章 初遇"]


@pytest.mark.parametrize(
    "line", ["***", "* * *", "*", "＊＊＊", "---", "—————", "- - -", "§", "§ § §", "#", "# # #", "◇◇◇", "※", "⁂", "~~~", "___", "===", "· · ·"]
)
def test_an_ornament_on_its_own_line_is_a_scene_break(line: str) -> None:
    assert is_scene_break(line)


@pytest.mark.parametrize("line", ["", "……", "——", "...", "?", "* note", "#1", "--", "—— 完 ——", "*" * 70])
def test_other_lines_are_no_scene_breaks(line: str) -> None:
    assert not is_scene_break(line)
