"""Query parameters and pages. A page has the shape of Spring Data's, which AINoval's clients already read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from ainoval.api.errors import InvalidQuery, PageTooDeep

DEFAULT_SIZE = 20
MAX_SIZE = 100
MAX_DEPTH = 100_000

_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page was asked for: `page` counts from 0, `size` is 1 to 100."""

    page: int
    size: int

    @property
    def offset(self) -> int:
        """How many entries come before the page."""
        return self.page * self.size


def page_request(query: QueryDict) -> PageRequest:
    """Read `page` and `size`.

    Raises:
        InvalidQuery: One of them is repeated, out of range, or anything but ASCII digits.
        PageTooDeep: `(page + 1) * size` is above 100,000: the database would walk over everything before it.
    """
    page = _number(query, "page", default=0)
    size = _number(query, "size", default=DEFAULT_SIZE)
    if not 1 <= size <= MAX_SIZE:
        raise InvalidQuery("size", f"must be 1 to {MAX_SIZE}")
    if (page + 1) * size > MAX_DEPTH:
        raise PageTooDeep(f"(page + 1) * size must not be above {MAX_DEPTH:,}: narrow the list with a filter.")
    return PageRequest(page, size)


def page_of(items: Sequence[Any], total: int, request: PageRequest) -> dict[str, Any]:
    """Return a page as it is answered."""
    return {
        "content": list(items),
        "number": request.page,
        "size": request.size,
        "totalElements": total,
        "totalPages": -(-total // request.size),
        "numberOfElements": len(items),
        "first": request.page == 0,
        "last": (request.page + 1) * request.size >= total,
        "empty": not items,
    }


def single(query: QueryDict, name: str) -> str | None:
    """Return a parameter that may be given once; None when it is absent.

    Raises:
        InvalidQuery: It is repeated, empty, or has a NUL.
    """
    values = query.getlist(name)
    if not values:
        return None
    if len(values) > 1:
        raise InvalidQuery(name, "is given more than once")
    if not values[0] or "\0" in values[0]:
        raise InvalidQuery(name, "is empty" if not values[0] else "has a NUL character")
    return values[0]


def choice(query: QueryDict, name: str, choices: Sequence[str], default: str) -> str:
    """Return a parameter that must be one of `choices`."""
    value = single(query, name)
    if value is None:
        return default
    if value not in choices:
        raise InvalidQuery(name, f"must be {' or '.join(choices)}")
    return value


def flag(query: QueryDict, name: str) -> bool:
    """Return a parameter that is `true` or `false`; False when it is absent."""
    return choice(query, name, ("true", "false"), "false") == "true"


def several(query: QueryDict, name: str, choices: Sequence[str]) -> tuple[str, ...]:
    """Return the values of a parameter that may be repeated or a comma list, each one of `choices`, without doubles."""
    values = [value.strip() for item in query.getlist(name) for value in item.split(",")]
    if any(value not in choices for value in values):
        raise InvalidQuery(name, f"must be one or several of {', '.join(choices)}")
    return tuple(dict.fromkeys(values))


def _number(query: QueryDict, name: str, *, default: int) -> int:
    value = single(query, name)
    if value is None:
        return default
    # int() would take "+1", "1_000", " 1" and the digits of every script.
    if not (value.isascii() and value.isdigit()):
        raise InvalidQuery(name, "must be a whole number, written in the digits 0 to 9")
    return int(value) if len(value) <= _MAX_DIGITS else 10**_MAX_DIGITS
