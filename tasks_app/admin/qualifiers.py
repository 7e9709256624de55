"""What is typed into the search box: `user:alice type:batch status:failed created:>2h`, and bare words, which are ids or names of users."""

import re
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext as _

from tasks_app.admin.filters import MAX_IDS, QUALIFIERS

MAX_LENGTH: Final = 16_000  # room for MAX_IDS ids beside all the others
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
    if len(text) > MAX_LENGTH:
        # Cut off, it would ask for more than was asked for.
        search.problems.append(_("A search can have %(limit)d characters.") % {"limit": MAX_LENGTH})
        return search
    for match in _WORD.finditer(text.replace("\0", "")):  # NUL: PostgreSQL refuses it even in a comparison
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
    if len(search.words) > MAX_IDS:
        search.problems.append(_("At most %(limit)d ids at once.") % {"limit": MAX_IDS})
        search.words.clear()  # each of them would be looked up
    return search


def _value(match: "re.Match[str]") -> str:
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", r"\1", match["quoted"])
    return match["plain"] or ""
