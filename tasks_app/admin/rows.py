"""A task as the list shows it: documents in, plain data for the template out. All addresses are made here, for a template's `url` tag costs 50 µs."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from django.contrib.admin.utils import quote as admin_quote
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tasks_app.admin.clocks import Clock, clock
from tasks_app.admin.masking import mask
from tasks_app.admin.subjects import Subject, marked
from tasks_app.admin.words import StatusLook, number, status_look, type_word
from tasks_app.waiting import WaitingFacts

MESSAGE_MAX_LENGTH = 120
LIST = "admin:tasks_app_backgroundtask_changelist"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task has come; `counted` is "3/12" or ""."""

    percentage: int
    counted: str
    message: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a task is; `name` is "" when the user was deleted. `query` lists that user's tasks."""

    user_id: str
    name: str
    query: str

    @property
    def label(self) -> str:
        """The name, or that there is none any more."""
        return self.name or _("deleted user")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list.

    Attributes:
        address: Of the task's page.
        attempts: "2 of 5".
        error_query: Lists the tasks with the same error.
        tokens: All that its attempts have paid for; "" for none.
        revision: Changes whenever something but a clock does.
        moved: Whether it no longer is what the list shows (it stays where it was until the list is made anew).
    """

    task_id: str
    address: str
    status: StatusLook
    type_name: str
    type_word: str
    subject: Subject | None
    subject_html: SafeString | str
    owner: Owner
    progress: Progress
    attempts: str
    clock: Clock
    created_at: datetime
    parent_id: str | None
    error_code: str
    error_query: str
    tokens: str
    tokens_in_full: str
    revision: str
    moved: bool = False


def row(
    task: Mapping[str, Any],
    facts: WaitingFacts,
    *,
    subject: Subject | None,
    names: Mapping[str, str],
    now: datetime,
    shows_text: bool,
    moved: bool = False,
) -> Row:
    """Return a task as a line of the list.

    Args:
        names: Usernames by id.
        shows_text: Whether the reader may see manuscript text, which a message may quote.
        moved: See Row.
    """
    usage = task.get("usage") or {}
    prompt, completion = usage.get("promptTokens", 0), usage.get("completionTokens", 0)
    code = (task.get("errorInfo") or {}).get("code") or ""
    seen = clock(task, facts, now)
    shown = progress(task, shows_text=shows_text)
    return Row(
        task_id=task["_id"],
        address=address_of(task["_id"]),
        status=status_look(task["status"]),
        type_name=task["taskType"],
        type_word=type_word(task["taskType"]),
        subject=subject,
        subject_html=marked(subject),
        owner=owner(task, names),
        progress=shown,
        attempts=_("%(n)s of %(m)s") % {"n": task["attempt"], "m": task["maxAttempts"]},
        clock=seen,
        created_at=task["createdAt"],
        parent_id=task.get("parentId"),
        error_code=code,
        error_query=f"error={quote(code, safe='')}&children=1" if code else "",
        tokens=number(prompt + completion) if prompt or completion else "",
        tokens_in_full=_("%(p)s in, %(c)s out") % {"p": number(prompt), "c": number(completion)},
        revision=_revision(task["status"], task["updatedAt"], shown, seen.tick, seen.at, seen.why, task["attempt"], moved, subject),
        moved=moved,
    )


def address_of(task_id: str) -> str:
    """Return the address of a task's page, as the admin writes ids."""
    return f"{list_address()}{quote(admin_quote(task_id), safe='')}/"


def list_address(query: str = "") -> str:
    """Return the address of the list."""
    return _base() + (f"?{query}" if query else "")


@cache
def _base() -> str:
    return reverse(LIST)


def owner(task: Mapping[str, Any], names: Mapping[str, str]) -> Owner:
    """Return whose a task is."""
    name = names.get(task["userId"], "")
    return Owner(task["userId"], name, f"user={quote(name or task['userId'], safe='')}")


def progress(task: Mapping[str, Any], *, shows_text: bool) -> Progress:
    """Return how far a task has come."""
    stored = task.get("progress") or {}
    current, total = stored.get("current"), stored.get("total")
    message = stored.get("message") or ""
    if message and not shows_text:
        message = mask(message)
    return Progress(
        percentage=stored.get("percentage") or 0,
        counted="" if current is None or total is None else f"{current}/{total}",
        message=message if len(message) <= MESSAGE_MAX_LENGTH else f"{message[:MESSAGE_MAX_LENGTH]}…",
    )


def _revision(*parts: object) -> str:
    return f"{zlib.crc32(repr(parts).encode('utf-8', 'replace')):08x}"
