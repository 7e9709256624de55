"""Stored JSON as a tree that opens and closes without any script: nested `details`, long texts folded, everything inert.

Made here and not by a template: a result may have thousands of parts, and a template's include costs a hundred times what this does.
"""

import json
from typing import Any, Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import ngettext

MAX_PARTS: Final = 3_000  # what comes after them is shown as plain JSON
OPEN_DEPTH: Final = 2
FOLDED_LENGTH: Final = 160
SHOWN_LENGTH: Final = 80


def tree(value: Any, key: str) -> SafeString:
    """Return stored JSON as HTML.

    Args:
        key: Of this tree in its page: a refresh keeps open what was opened.
    """
    return mark_safe(f'<div class="json">{_Tree(key).part("", value, 0)}</div>')  # noqa: S308 - every text in it went through escape()


class _Tree:
    def __init__(self, key: str) -> None:
        self._key = key
        self._parts = 0

    def part(self, name: str, value: Any, depth: int) -> str:
        self._parts += 1
        label = f'<span class="json-name">{escape(name)}</span>: ' if name else ""
        match value:
            case dict() | list() if value and self._parts <= MAX_PARTS:
                return self._branch(label, value, depth)
            case dict() | list():
                return self._leaf(label, "json-rest", _plain(value))
            case str() if len(value) > FOLDED_LENGTH or "\n" in value:
                return self._folded(label, value)
            case str():
                return self._leaf(label, "json-text", value)
            case bool() | None:
                return self._leaf(label, "json-word", _plain(value))
            case _:
                return self._leaf(label, "json-number", _plain(value))

    def _branch(self, label: str, value: dict[str, Any] | list[Any], depth: int) -> str:
        items = value.items() if isinstance(value, dict) else ((str(number), item) for number, item in enumerate(value))
        count = ngettext("%(count)d entry", "%(count)d entries", len(value)) % {"count": len(value)}
        details = self._details(open_=depth < OPEN_DEPTH and (depth == 0 or len(value) <= 20))
        below = "".join(f"<li>{self.part(str(key), item, depth + 1)}</li>" for key, item in items)
        return f'{details}<summary>{label}<span class="json-count">{escape(count)}</span></summary><ul>{below}</ul></details>'

    def _folded(self, label: str, text: str) -> str:
        count = ngettext("%(count)d character", "%(count)d characters", len(text)) % {"count": len(text)}
        begin = escape(text[:SHOWN_LENGTH].replace("\n", " "))
        summary = f'<summary>{label}<bdi class="json-text">{begin}…</bdi> <span class="json-count">{escape(count)}</span></summary>'
        return f'{self._details(open_=False)}{summary}<pre dir="auto">{escape(text)}</pre></details>'

    def _details(self, *, open_: bool) -> str:
        return f'<details data-key="{escape(self._key)}-{self._parts}"{" open" if open_ else ""}>'

    @staticmethod
    def _leaf(label: str, kind: str, text: str) -> str:
        return f'{label}<bdi class="{kind}">{escape(text)}</bdi>'


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
