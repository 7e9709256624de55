"""What is typed into the search box: `user:alice type:batch status:failed created:>2h`, and bare words, which are ids or names of users."""

import re
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext as _

from tasks_app.admin.filters import QUALIFIERS

MAX_LENGTH: Final = 1_000
_WORD: Final = re.compile(r'(?:(?P<name>[^\s:"]+):)?(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]\S*)|(?P<empty>(?<=:)(?=\s|$)))')
# Other words for the same.
_ALIASES: Final = {"novel": "about", "scene": "about", "batch": "parent", "owner": "user", "code": "error", "age": "created"}


@dataclass(frozen=True, slots=True)
class Search:
    """A text in parts.

    Attributes:
        values: By qualifier.
        words: What has none, in order.
        problems: What cannot be understood, each with what would be right.
    """

    values: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def parse(text: str) -> Search:
    """Take a text apart. Whatever is typed, this returns: problems are told, not raised."""
    search = Search()
    for match in _WORD.finditer(text[:MAX_LENGTH]):
        name, value = match["name"], _value(match)
        if name is None:
            if value:  # there is an empty one after a value that ends with a colon
                search.words.append(value)
            continue
        qualifier = _ALIASES.get(name.lower(), name.lower())
        if qualifier not in QUALIFIERS:
            known = ", ".join(f"{each}:" for each in QUALIFIERS)
            search.problems.append(_("There is no qualifier “%(name)s:”; there are %(known)s") % {"name": name, "known": known})
        elif not value:
            search.problems.append(_("“%(name)s:” needs a value right after it.") % {"name": name})
        elif qualifier in search.values and search.values[qualifier] != value:
            search.problems.append(_("“%(name)s:” is given twice.") % {"name": name})
        else:
            search.values[qualifier] = value
    return search


def _value(match: "re.Match[str]") -> str:
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", r"\1", match["quoted"])
    return match["plain"] or ""
