"""Markdown files as novels, of other programs and of our own export."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ainoval.novels.characters import clean
from ainoval.novels.export import ExportedScene, render
from ainoval.novels.importing import ParsedNovel, parse_novel
from ainoval.novels.views import ActView, ChapterView, NovelView


def parsed(text: str, filename: str = "a-novel.md", title: str | None = None) -> ParsedNovel:
    return parse_novel(text.encode(), filename, title)


def shape(novel: ParsedNovel) -> list[tuple[str, list[tuple[str, list[tuple[str, str]]]]]]:
    """Acts, chapters, scenes with titles."""
    return [(act.title, [(c.title, [(s.title, s.content) for s in c.scenes]) for c in act.chapters]) for act in novel.acts]


def test_a_title_acts_and_chapters_by_level() -> None:
    novel = parsed("# Salt\n\n## Part One\n\n### Chapter 1\n\nA.\n\n---\n\nB.\n\n## Part Two\n\n### Chapter 2\n\nC.\n")
    assert novel.title == "Salt"
    assert shape(novel) == [
        ("Part One", [("Chapter 1", [("", "A."), ("", "B.")])]),
        ("Part Two", [("Chapter 2", [("", "C.")])]),
    ]


def test_a_title_and_chapters() -> None:
    novel = parsed("# Salt\n\nA sea story.\n\n## The Ferry\n\nA.\n\n## The Bell\n\nB.\n")
    assert (novel.title, shape(novel)) == (
        "Salt",
        [("", [("Front matter", [("", "A sea story.")]), ("The Ferry", [("", "A.")]), ("The Bell", [("", "B.")])])],
    )


def test_chapters_alone_are_chapters() -> None:
    assert shape(parsed("# One\n\nA.\n\n# Two\n\nB.\n")) == [("", [("One", [("", "A.")]), ("Two", [("", "B.")])])]
    assert shape(parsed("## One ##\n\nA.\n\n## Two\n\nB.\n")) == [("", [("One", [("", "A.")]), ("Two", [("", "B.")])])]


def test_headings_under_chapters_are_titles_of_scenes() -> None:
    novel = parsed("# 第一章 城\n\n## 门\n\n甲。\n\n## 桥\n\n乙。\n\n# 第二章 河\n\n丙。\n")
    assert shape(novel) == [("", [("第一章 城", [("门", "甲。"), ("桥", "乙。")]), ("第二章 河", [("", "丙。")])])]


def test_a_file_without_hash_headings_is_read_as_plain_text() -> None:
    assert shape(parsed("Chapter One\n\nA.\n\nChapter Two\n\nB.\n")) == [("", [("Chapter One", [("", "A.")]), ("Chapter Two", [("", "B.")])])]


def test_a_block_of_properties_gives_the_title() -> None:
    novel = parsed('---\ntitle: "Salt and Road"\ntags: sea\n---\n\n# One\n\nA.\n\n# Two\n\nB.\n')
    assert (novel.title, novel.chapter_count) == ("Salt and Road", 2)


def test_the_readers_title_wins_and_the_files_stays_in_the_text() -> None:
    novel = parsed("# Salt\n\n## One\n\nA.\n\n## Two\n\nB.\n", title="Pepper")
    assert novel.title == "Pepper"
    assert shape(novel)[0][1][0] == ("Front matter", [("", "# Salt")])


def test_an_escaped_line_is_text() -> None:
    assert shape(parsed("# One\n\n\\# not a heading\n\n\\*\\*\\*\n\nA.\n")) == [("", [("One", [("", "# not a heading\n\n*\\*\\*\n\nA.")])])]


def _novel(title: str, acts: list[tuple[str, list[tuple[str, list[tuple[str, str]]]]]]) -> tuple[NovelView, dict[str, list[ExportedScene]]]:
    scenes: dict[str, list[ExportedScene]] = {}
    views = []
    for act_title, chapters in acts:
        of_act = []
        for chapter_title, of_chapter in chapters:
            chapter_id = f"c{len(scenes)}"
            scenes[chapter_id] = [ExportedScene(scene_title, content) for scene_title, content in of_chapter]
            of_act.append(ChapterView(chapter_id, chapter_title))
        views.append(ActView("a", act_title, tuple(of_act)))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return NovelView("n", "alice", title, tuple(views), now, now), scenes


# What the services accept as titles and contents, thick with what an export must escape.
_CHARACTERS = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029")
_TITLES = st.one_of(st.text(_CHARACTERS, max_size=12), st.sampled_from(["***", "# x", "\\", "第一章", "Part One", "a  b", "#"])).map(lambda t: clean(t).strip())
_LINES = st.one_of(
    st.text(_CHARACTERS, max_size=20),
    st.sampled_from(
        ["", "", "", "***", "# Chapter", "### x", "####", "\\", "\\***", "  # y", "第一章 起", "Chapter One", "---", "<!-- x -->", "\u3000\u3000甲。", "tail  "]
    ),
)
_CONTENTS = st.lists(_LINES, max_size=8).flatmap(lambda lines: st.sampled_from(["\n", "\r\n", "\u2028"]).map(lambda end: end.join(lines)))
_SCENES = st.lists(st.tuples(_TITLES, _CONTENTS), max_size=3)
_ACTS = st.lists(st.tuples(_TITLES, st.lists(st.tuples(_TITLES, _SCENES), max_size=3)), max_size=3)


def _without_blank_ends(content: str) -> str:
    lines = clean(content).split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return "\n".join(lines)


@settings(max_examples=150, deadline=None)
@given(title=_TITLES.filter(bool), acts=_ACTS)
def test_an_export_reads_back_to_the_same_structure_and_texts(title: str, acts: list[tuple[str, list[tuple[str, list[tuple[str, str]]]]]]) -> None:
    novel = parsed(render(*_novel(title, acts)))
    assert novel.title == title
    assert shape(novel) == [
        (act, [(chapter, [(scene, _without_blank_ends(content)) for scene, content in scenes]) for chapter, scenes in chapters]) for act, chapters in acts
    ]


def test_an_export_is_markdown_that_people_can_read() -> None:
    exported = render(*_novel("渡口", [("上", [("第一章", [("", "甲。\n\n乙。"), ("", "丙。"), ("雨", "丁。")])])]))
    assert exported.split("\n")[1:] == [
        *("# 渡口", "", "## 上", "", "### 第一章", "", "甲。", "", "乙。"),
        *("", "***", "", "丙。", "", "#### 雨", "", "丁。", ""),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_export_that_an_editor_saved_again_reads_back(encoding: str) -> None:
    exported = render(*_novel("渡口", [("", [("第一章", [("", "甲。")])])])).replace("\n", "\r\n")
    assert shape(parse_novel(exported.encode(encoding), "a.md")) == [("", [("第一章", [("", "甲。")])])]
    assert parse_novel(exported.encode(encoding), "a.txt") == parse_novel(exported.encode(encoding), "a.md")


def test_an_export_without_scenes_reads_back() -> None:
    assert shape(parsed(render(*_novel("Empty", [("I", []), ("II", [("One", [])])])))) == [("I", []), ("II", [("One", [])])]
