"""Sizes a novel may have, and the checks that refuse what is past them.

Nothing is shortened here: a text that does not fit is refused with a code, so that no word is lost silently. Sizes of texts are UTF-8 bytes, which is
what MongoDB stores and what bounds a document (16 MB).
"""

import re
from typing import Final

from ainoval.novels.errors import BadNovel

TITLE_CHARACTERS: Final = 200
CONTENT_BYTES: Final = 512 * 1024
# A summary travels with every list of scenes (up to 100 a page), so it is kept well below a content.
SUMMARY_BYTES: Final = 64 * 1024
HISTORY_ENTRIES: Final = 20
HISTORY_BYTES: Final = 4 * 1024 * 1024
# The longest titles in these numbers make a novel's document of about 6 MB.
ACTS: Final = 500
CHAPTERS: Final = 5_000
RANGE_SCENES: Final = 10_000
IMPORT_SCENES: Final = 20_000
IMPORT_FILE_BYTES: Final = 20 * 1024 * 1024
MAX_SEQUENCE: Final = 2**31 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def checked_title(title: str, field: str = "title", *, required: bool = False) -> str:
    """Return the title without white space around it.

    Args:
        title: One line of text.
        field: Its name on the wire, for the refusal.
        required: A novel must have a title; acts, chapters and scenes need none.

    Raises:
        BadNovel: title_missing, title_too_long, or invalid_text for line breaks, control characters and lone surrogates.
    """
    title = title.strip()
    if required and not title:
        raise BadNovel("Give the novel a title.", code="title_missing", field=field)
    if len(title) > TITLE_CHARACTERS:
        message = f"A title has at most {TITLE_CHARACTERS} characters."
        raise BadNovel(message, code="title_too_long", details={"limit": TITLE_CHARACTERS}, field=field)
    if _CONTROL.search(title):
        raise BadNovel("A title is one line without control characters.", code="invalid_text", field=field)
    text_bytes(title, field)
    return title


def checked_content(content: str) -> str:
    """Return the content as it is, or raise BadNovel (content_too_large, invalid_text)."""
    return _checked_size(content, CONTENT_BYTES, "content")


def checked_summary(summary: str) -> str:
    """Return the summary as it is, or raise BadNovel (summary_too_large, invalid_text)."""
    return _checked_size(summary, SUMMARY_BYTES, "summary")


def checked_sequence(sequence: int) -> int:
    """Return the place in the chapter as it is, or raise BadNovel (invalid_sequence)."""
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise BadNovel(f"A sequence is a whole number from 0 to {MAX_SEQUENCE}.", code="invalid_sequence", field="sequence")
    return sequence


def text_bytes(text: str, field: str) -> int:
    """Return the text's size in UTF-8.

    Raises:
        BadNovel: invalid_text for what could not be stored and read back (lone surrogates, NUL).
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as exc:
        raise BadNovel("The text contains a lone surrogate, which is not a character.", code="invalid_text", field=field) from exc
    if "\x00" in text:
        raise BadNovel("The text contains a NUL character.", code="invalid_text", field=field)
    return size


def _checked_size(text: str, limit: int, field: str) -> str:
    if text_bytes(text, field) > limit:
        message = f"A scene's {field} has at most {limit:,} bytes (UTF-8); split it."
        raise BadNovel(message, code=f"{field}_too_large", details={"limit": limit}, field=field)
    return text
