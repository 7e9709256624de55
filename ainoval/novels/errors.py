"""What can go wrong with novels and scenes, each with the code that clients see."""

from ainoval.errors import AinovalError


class NovelNotFound(AinovalError):
    """There is no such novel among yours."""

    code = "novel_not_found"


class ChapterNotFound(AinovalError):
    """There is no such chapter in this novel."""

    code = "chapter_not_found"


class SceneNotFound(AinovalError):
    """There is no such scene in your novels."""

    code = "scene_not_found"


class SceneChanged(AinovalError):
    """The scene has changed since you read it; read it again and repeat your change on the new text."""

    code = "scene_changed"

    def __init__(self, *, expected_version: int, current_version: int) -> None:
        super().__init__(details={"expectedVersion": expected_version, "currentVersion": current_version})


class BadNovel(AinovalError):
    """The novel or scene cannot be stored like this.

    Codes: content_too_large, summary_too_large, title_too_long, title_missing, invalid_text, invalid_sequence, too_many_acts, too_many_chapters,
    too_many_scenes, unknown_act, unknown_chapter, duplicate_id, chapter_not_empty, novel_changed.
    """

    code = "bad_novel"


class BadRange(BadNovel):
    """The last chapter of the range comes before its first."""

    code = "end_before_start"
    field = "endChapterId"


class UnreadableNovel(AinovalError):
    """The file cannot be read as a novel.

    Codes: file_too_large, unknown_format, empty_file, empty_novel, binary_file, unknown_encoding, broken_epub, encrypted_epub, epub_too_large,
    too_many_chapters, too_many_scenes, too_many_lines.
    """

    code = "unreadable_novel"
    field = "file"
