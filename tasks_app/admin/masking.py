"""Manuscript text, hidden from staff who may see tasks but not read novels."""

from typing import Any, Final

from django.utils.translation import gettext as _

# Of parameters `summary`, `instructions`, `style`; of results and drafts `summary`, `content`, `draft`, and the draft's own `text`.
TEXT_FIELDS: Final = frozenset({"summary", "instructions", "style", "content", "draft", "text"})


def masked(value: Any) -> Any:
    """Return a copy of stored JSON in which every string at or below a text field tells only its length."""
    return _masked(value, inside=False)


def _masked(value: Any, *, inside: bool) -> Any:
    match value:
        case dict():
            return {key: _masked(item, inside=inside or key in TEXT_FIELDS) for key, item in value.items()}
        case list():
            return [_masked(item, inside=inside) for item in value]
        case str() if inside:
            return mask(value)
        case _:
            return value


def mask(text: str) -> str:
    """Return what is shown instead of a text."""
    return _("••• (%(count)d characters)") % {"count": len(text)}
