"""Bytes to clean text.

The encoding is found in this order: a byte order mark, strict UTF-8, GB18030 (which contains GBK and GB2312). Nothing is decoded with replacement
characters. GB18030 accepts many files that are something else, so what it yields must look like Chinese.
"""

import codecs
import re
from typing import Final

from ainoval.novels.characters import clean
from ainoval.novels.errors import UnreadableNovel

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY = re.compile("[\x00-\x08\x0e-\x19\x1b-\x1f]")
_BINARY_SHARE: Final = 0.005
# The most frequent characters of Chinese prose, in both scripts; they are a fifth of any page, and hardly occur in what was wrongly decoded.
_FREQUENT: Final = frozenset("，。、：；？！“”‘’「」《》—…　的一是了不我他她你在有人这這上来來到说說大地就也子那着著去道")
_FREQUENT_SHARE: Final = 0.05
_SAMPLE: Final = 200_000
# Ten times what a long novel has; each line costs a hundred times its bytes.
_MOST_LINES: Final = 1_000_000
_SHORT: Final = 40


def decode(data: bytes) -> str:
    """Return the text of a file: line breaks as `\\n`; control characters, NUL included, and lone surrogates removed.

    Raises:
        UnreadableNovel: unknown_encoding, or binary_file for what has more control characters than a text can have, too_many_lines.
    """
    text = _decoded(data)
    if len(text) - len(_BINARY.sub("", text)) > len(text) * _BINARY_SHARE:
        raise UnreadableNovel("This is not a text file.", code="binary_file")
    text = clean(text)
    if text.count("\n") > _MOST_LINES:
        raise UnreadableNovel(f"The file has more than {_MOST_LINES:,} lines; split it.", code="too_many_lines")
    return text


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as exc:
                message = f"The file begins as {encoding.upper()} but is broken at byte {exc.start + len(mark):,}; save it again as UTF-8."
                raise UnreadableNovel(message, code="unknown_encoding") from exc
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        broken_at = exc.start
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        text = ""
    if not _looks_chinese(text):
        message = f"The file is not UTF-8 (byte {broken_at:,} breaks it) and does not read as GB18030 either; save it as UTF-8."
        raise UnreadableNovel(message, code="unknown_encoding")
    return text


def _looks_chinese(text: str) -> bool:
    beyond_ascii = [character for character in text[:_SAMPLE] if character > "\x7f"]
    if not beyond_ascii:
        return False
    if len(beyond_ascii) < _SHORT:
        # Too few to count. Western letters decode to rare characters outside GB2312, because an ASCII letter follows them.
        return sum(map(_in_gb2312, beyond_ascii)) >= 0.9 * len(beyond_ascii)
    return sum(character in _FREQUENT for character in beyond_ascii) >= _FREQUENT_SHARE * len(beyond_ascii)


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
