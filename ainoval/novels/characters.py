"""Which characters a text of ours has."""

import re

_LINE_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# C0 and C1 controls but tab and line feed, lone surrogates, and byte order marks and non-characters that stray into texts.
_DROPPED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def clean(text: str) -> str:
    """Return the text with line breaks as `\\n` and without controls, NUL, lone surrogates and stray byte order marks."""
    return _DROPPED.sub("", _LINE_BREAKS.sub("\n", text))
