"""Lines that separate scenes."""

import re
from typing import Final

_LONGEST: Final = 60
# Stars, rules and ornaments on a line of their own. A line of dots is none: in Chinese it is a silence.
_BREAK = re.compile(r"(?:[*＊]\s*)+|[-—–─－_＿=＝~～]{3,}|(?:[-–—]\s+){2,}[-–—]|(?:§\s*)+|(?:#\s*)+|(?:[◇◆○●◎☆★※❦❧⁂⁕✽✻]\s*)+|(?:[·•]\s*){3,}")


def is_scene_break(line: str) -> bool:
    """Say whether a line, without white space around it, separates scenes: `***`, `* * *`, `---`, `§`, `#` and the like."""
    return 0 < len(line) <= _LONGEST and _BREAK.fullmatch(line) is not None
