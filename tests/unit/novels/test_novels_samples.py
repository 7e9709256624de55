"""The novels that ship with the project."""

from ainoval.novels.importing import parse_novel
from ainoval.novels.samples import CHINESE, ENGLISH, SAMPLES, read_sample
from ainoval.novels.words import word_count


def test_the_samples_import_to_chapters_and_scenes_worth_summarising() -> None:
    lengths = {ENGLISH: range(150, 401), CHINESE: range(250, 601)}
    total = 0
    for name in SAMPLES:
        novel = parse_novel(read_sample(name), name)
        total += novel.scene_count
        chapters = [chapter for act in novel.acts for chapter in act.chapters]
        assert len(chapters) == 4
        assert all(len(chapter.scenes) >= 2 for chapter in chapters)
        assert all(word_count(scene.content) in lengths[name] for chapter in chapters for scene in chapter.scenes)
    assert total >= 24


def test_the_samples_have_titles_and_labelled_chapters() -> None:
    english, chinese = (parse_novel(read_sample(name), name) for name in (ENGLISH, CHINESE))
    assert (english.title, chinese.title) == ("The Ferry Ledger", "雁回山观测簿")
    assert english.acts[0].chapters[0].title == "Chapter One: The Last of Tobias"
    assert chinese.acts[0].chapters[0].title == "第一章 上山"
