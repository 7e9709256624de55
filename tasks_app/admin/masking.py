"""Manuscript text, hidden from staff who may see tasks but not read novels.

Whatever could be text is hidden, not only what is known to be: a message of an AI server may quote the scene it refused, and a new task type may call its
text by any name. What stays is what cannot be a sentence: numbers, ids, codes, names of models.
"""

import re
from typing import Any, Final

from django.utils.translation import gettext as _

# Of parameters `summary`, `instructions`, `style`; of results and drafts `summary`, `content`, `draft`, and the draft's own `text`: hidden even as one word.
TEXT_FIELDS: Final = frozenset({"summary", "instructions", "style", "content", "draft", "text", "message"})
_NO_SENTENCE: Final = re.compile(r"[A-Za-z0-9_.:@/+-]{0,64}", re.ASCII)
_FRAME: Final = re.compile(r'  File "[^"]*", line \d+, in \S+|Traceback \(most recent call last\):')
_RAISED: Final = re.compile(r"((?:\w+\.)*[A-Za-z]\w*(?:Error|Exception|Failure|Warning|Exit|Interrupt|Group|Later|Stopped|Lost))(?::.*)?", re.ASCII)


def masked(value: Any) -> Any:
    """Return a copy of stored JSON in which every string that could be manuscript text tells only its length."""
    return _masked(value, inside=False)


def _masked(value: Any, *, inside: bool) -> Any:
    match value:
        case dict():
            return {_name(key): _masked(item, inside=inside or key in TEXT_FIELDS) for key, item in value.items()}
        case list():
            return [_masked(item, inside=inside) for item in value]
        case str() if inside or not _NO_SENTENCE.fullmatch(value):
            return mask(value)
        case _:
            return value


def _name(key: Any) -> Any:
    return key if not isinstance(key, str) or _NO_SENTENCE.fullmatch(key) else mask(key)


def mask(text: str) -> str:
    """Return what is shown instead of a text."""
    return _("••• (%(count)d characters)") % {"count": len(text)}


def masked_traceback(text: str) -> str:
    """Return a traceback with its frames and the kinds of its exceptions alone: their messages, and values in the source lines, may quote a manuscript."""
    kept = []
    for line in text.splitlines():
        if _FRAME.fullmatch(line):
            kept.append(line)
        elif match := _RAISED.fullmatch(line):
            kept.append(f"{match[1]}: •••")
    return "\n".join(kept)
