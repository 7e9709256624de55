"""Which tasks a command is about: its arguments, and the selection they make."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from ainoval.commands import duration, user_id
from ainoval.ids import ID_LENGTH
from tasks_app import registry
from tasks_app.errors import UnknownTaskType
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus

_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_STORED_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")


def add_filters(parser: ArgumentParser, *, statuses: Iterable[TaskStatus], since: str) -> None:
    """Add the arguments that select tasks.

    Args:
        statuses: Which may be chosen.
        since: What `--older-than` counts from, for its help.
    """
    allowed = frozenset(statuses)
    names = ", ".join(status.value for status in TaskStatus if status in allowed)
    parser.add_argument("--id", action="append", dest="ids", metavar="ID", type=_task_id, default=[], help="only this task; may be repeated")
    parser.add_argument("--type", dest="task_type", metavar="TYPE", type=_task_types, help="only this type (GENERATE_SUMMARY or generate-summary)")
    parser.add_argument(
        "--status",
        action="extend",
        dest="statuses",
        metavar="STATUS",
        type=_statuses(allowed),
        default=[],
        help=f"only this status; may be repeated, or be a list with commas: {names}",
    )
    parser.add_argument("--user", metavar="USER", help="only this user's tasks: a username or a user's id")
    parser.add_argument("--older-than", metavar="AGE", type=duration, help=f"only tasks {since} longer ago than this (90s, 10m, 36h, 7d, 2w)")


def has_filters(options: dict[str, Any]) -> bool:
    """Whether anything narrows the selection."""
    return bool(options["ids"] or options["task_type"] or options["statuses"]) or options["user"] is not None or options["older_than"] is not None


def selection(options: dict[str, Any], *, statuses: frozenset[TaskStatus], now: datetime, by_end: bool = False, children: bool = True) -> Selection:
    """Return what the arguments select.

    Args:
        statuses: Where none is chosen.
        now: The moment the command began. Without an age it bounds a selection that names no ids, so that nothing newer than what was shown is touched.
        by_end: Whether the age counts from a task's end; else from its submission.

    Raises:
        CommandError: There is no such user.
    """
    age: timedelta | None = options["older_than"]
    until = now - age if age is not None else None if options["ids"] else now
    return Selection(
        task_ids=tuple(dict.fromkeys(options["ids"])),
        # An empty name is no user, and must not become every user: it is what an unset variable of a shell leaves.
        user_id=user_id(options["user"]) if options["user"] is not None else None,
        task_types=options["task_type"] or (),
        statuses=frozenset(options["statuses"]) or statuses,
        children=children,
        created_before=None if by_end else until,
        ended_before=until if by_end else None,
    )


def _task_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is not a task's id: those are {ID_LENGTH} characters, 0 to 9 and a to f")
    return text


def _task_types(text: str) -> tuple[str, ...]:
    """Return the stored names of a type, former ones included. One that was removed is taken as it is written: its tasks may still be there."""
    name = text.replace("-", "_").upper() if text == text.lower() and "_" not in text else text
    try:
        executable = registry.get(name)
    except UnknownTaskType:
        if not _STORED_TYPE.fullmatch(name):
            raise ArgumentTypeError(f"{text!r} is not a task type; known are {', '.join(registry.known_types())}") from None
        return (name,)
    return (executable.task_type, *executable.aliases)


def warn_of_unknown_type(types: tuple[str, ...] | None) -> str | None:
    """Return a warning if nothing is known here of the type that was asked for: removed, or misspelt."""
    if not types or set(types) & set(registry.known_types()):
        return None
    return f"No task type {types[0]} is known here; known are {', '.join(registry.known_types())}."


def _statuses(allowed: frozenset[TaskStatus]) -> Callable[[str], list[TaskStatus]]:
    def parse(text: str) -> list[TaskStatus]:
        chosen = [name.strip().upper() for name in text.split(",")]
        names = [status.value for status in TaskStatus if status in allowed]
        for name in chosen:
            if name not in names:
                raise ArgumentTypeError(f"{name!r} cannot be chosen here: choose from {', '.join(names)}")
        return [TaskStatus(name) for name in chosen]

    return parse
