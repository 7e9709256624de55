"""From a file's bytes and name to a novel."""

from pathlib import PurePath
from typing import Final

from ainoval.novels import limits
from ainoval.novels.characters import clean
from ainoval.novels.errors import UnreadableNovel
from ainoval.novels.importing.decoding import decode
from ainoval.novels.importing.markdown import is_export, read_export, read_markdown
from ainoval.novels.importing.outline import ParsedNovel, outline, short_title
from ainoval.novels.importing.text import read_text

EXTENSIONS: Final = (".txt", ".md", ".epub")
_UNTITLED: Final = "Untitled"


def parse_novel(data: bytes, filename: str, title: str | None = None) -> ParsedNovel:
    """Read a novel from a file. Pure, and CPU work: a 5 MB text takes about half a second, so call it in a thread.

    No text is dropped but white space at the ends of lines, ideographic indentation, control characters, tables of contents, and what only says
    the title.

    Args:
        data: The file, at most 20 MiB.
        filename: Its extension says how to read it; its stem is the title if nothing else is.
        title: Wins over the file's own.

    Raises:
        UnreadableNovel: See its codes.
    """
    if len(data) > limits.IMPORT_FILE_BYTES:
        raise UnreadableNovel(f"The file is larger than {limits.IMPORT_FILE_BYTES >> 20} MiB; split it.", code="file_too_large")
    path = PurePath(clean(filename).replace("\\", "/"))
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise UnreadableNovel(f"Give a file that ends in {', '.join(EXTENSIONS)}.", code="unknown_format")
    if not data:
        raise UnreadableNovel("The file is empty.", code="empty_file")
    title = (title or "").strip() or None
    is_exact = False
    if extension == ".epub":
        # Not before the first one comes: its XML library is large, and workers and commands share this module.
        from ainoval.novels.importing.epub import read_epub

        own_title, stream = read_epub(data)
    else:
        text = decode(data)
        is_exact = is_export(text)
        if is_exact:
            own_title, stream = read_export(text)
        else:
            own_title, stream = (read_text if extension == ".txt" else read_markdown)(text, title)
    # Only the file's own title is cut to fit: whoever gave one is told when it does not.
    novel = outline(stream, title or short_title(own_title or path.stem) or _UNTITLED, keep_lines=is_exact)
    # An export is read back as it was, also without scenes.
    if not novel.scene_count and not is_exact:
        raise UnreadableNovel("There is no text in the file.", code="empty_novel")
    return novel
