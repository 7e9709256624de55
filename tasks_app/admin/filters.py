"""The list's state, all of it in its address: which tab, which filters, from which place on. Also in words, as the search box shows and takes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _

from tasks_app.admin import ages
from tasks_app.search import Position
from tasks_app.states import TaskStatus
from tasks_app.waiting import NOT_WAITING, REASONS

PAGE_SIZE: Final = 40
MAX_IDS: Final = 200
VALUE_MAX_LENGTH: Final = 200
_IDS_MAX_LENGTH: Final = MAX_IDS * 65
_PLACE: Final = re.compile(r"(\d{1,14})-([^-]{0,64})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YES, _NO = ("1", "yes", "true"), ("", "0", "no", "false")

# As they are called in an address and in the search box, in the order in which they are shown.
QUALIFIERS: Final = ("status", "type", "user", "error", "created", "waiting", "parent", "about", "id", "children")


@dataclass(frozen=True, slots=True)
class ListState:
    """What the list shows.

    Attributes:
        status: The tab; "" shows all.
        type, user, error, created, parent, about: The filters as typed, "" for none; `user` is a name or an id, `type` a name or a part of it, `about` the
            id of a novel or a scene.
        waiting: The code of a reason to wait; "no" for tasks that do not wait.
        id: Ids of tasks, separated by commas.
        children: "1" for the tasks of batches, too.
        before, after: The place from which the page goes on; one of them at most.
    """

    status: str = ""
    type: str = ""
    user: str = ""
    error: str = ""
    created: str = ""
    waiting: str = ""
    parent: str = ""
    about: str = ""
    id: str = ""
    children: str = ""
    before: Position | None = None
    after: Position | None = None

    @classmethod
    def parse(cls, query: QueryDict) -> "ListState":
        """Return the state that an address describes. A place that makes no sense is dropped: the list then begins at its beginning."""
        state = cls.of({name: query.get(name, "") for name in QUALIFIERS})
        after = _place(query.get("after", ""))
        return replace(state, after=after, before=None if after else _place(query.get("before", "")))

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "ListState":
        """Return the state with these filters, in their one spelling; what cannot be understood stays as it is, and is among the problems."""
        cleaned: dict[str, Any] = {name: _clean(value, _IDS_MAX_LENGTH if name == "id" else VALUE_MAX_LENGTH) for name, value in values.items()}
        status = cleaned.get("status", "").upper().replace("-", "_").replace(" ", "_")
        if status in TaskStatus.__members__:
            cleaned["status"] = status
        children = cleaned.get("children", "").lower()
        if children in _YES or children in _NO:
            cleaned["children"] = "1" if children in _YES else ""
        cleaned["id"] = ",".join(dict.fromkeys(filter(None, (part.strip() for part in cleaned.get("id", "").split(",")))))
        return cls(**cleaned)

    @property
    def task_status(self) -> TaskStatus | None:
        """The tab's status; None for the tab of all."""
        return TaskStatus(self.status) if self.status in TaskStatus.__members__ else None

    @property
    def task_ids(self) -> tuple[str, ...]:
        """The ids that are asked for."""
        return tuple(self.id.split(",")) if self.id else ()

    @property
    def with_children(self) -> bool:
        """Whether the tasks of batches are listed: when they are asked for, alone or with all others."""
        return bool(self.children or self.parent or self.id)

    @property
    def filtered(self) -> bool:
        """Whether anything beside the tab narrows the list."""
        return any(self._value(name) for name in QUALIFIERS if name not in ("status", "children"))

    @property
    def problems(self) -> list[str]:
        """What cannot be understood, each with what would be right. A list with a problem shows nothing: it would be longer than was asked for."""
        found = []
        if self.status and self.task_status is None:
            known = ", ".join(status.lower() for status in TaskStatus)
            found.append(_("There is no status “%(value)s”; there are %(known)s.") % {"value": self.status, "known": known})
        if self.created and ages.parse(self.created, _EPOCH + timedelta(days=36_600)) is None:
            text = _("“%(value)s” is no time of creation; right are <24h, >2h, 2026-11-20, 2026-11-20..2026-11-22.")
            found.append(text % {"value": self.created})
        if self.waiting and self.waiting not in (*REASONS, NOT_WAITING):
            known = ", ".join((*REASONS, NOT_WAITING))
            found.append(_("There is no reason to wait “%(value)s”; there are %(known)s.") % {"value": self.waiting, "known": known})
        if self.children not in ("", "1"):
            found.append(_("“children” takes yes or no, not “%(value)s”.") % {"value": self.children})
        if len(self.task_ids) > MAX_IDS:
            found.append(_("At most %(limit)d ids at once.") % {"limit": MAX_IDS})
        return found

    def query_string(self) -> str:
        """Return the state as an address carries it, the shortest form; "" for the plain list."""
        values = {name: self._value(name) for name in QUALIFIERS}
        values |= {name: _address(place) for name, place in (("before", self.before), ("after", self.after)) if place}
        return urlencode({name: value for name, value in values.items() if value})

    def text(self) -> str:
        """Return the filters in words, as the search box takes them."""
        return " ".join(f"{name}:{_quoted(_word(name, value))}" for name in QUALIFIERS if (value := self._value(name)))

    def first_page(self, **changes: str) -> "ListState":
        """Return the beginning of the list with some filters changed."""
        return replace(self, before=None, after=None, **changes)

    def _value(self, name: str) -> str:
        return str(getattr(self, name))


assert {field.name for field in fields(ListState)} == {*QUALIFIERS, "before", "after"}  # noqa: S101 - an attribute for each


def _clean(value: str, length: int) -> str:
    # NUL: PostgreSQL refuses it even in a comparison. Lone surrogates cannot be sent to any database.
    return value.replace("\0", "").encode("utf-8", "replace").decode().strip()[:length]


def _word(name: str, value: str) -> str:
    if name == "status":
        return value.lower().replace("_", "-")
    return "yes" if name == "children" and value == "1" else value


def _quoted(value: str) -> str:
    if value and not re.search(r'[\s"]', value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _address(place: Position) -> str:
    return f"{round((place.created_at - _EPOCH) / timedelta(milliseconds=1))}-{place.task_id}"


def _place(text: str) -> Position | None:
    match = _PLACE.fullmatch(text)
    if not match or int(match[1]) > 7_000_000_000_000:  # the year 2191
        return None
    return Position(_EPOCH + timedelta(milliseconds=int(match[1])), match[2].replace("\0", ""))
