"""What the project's commands have in common: failures in one clear line, users and durations as arguments, tables for people."""

import io
import json
import os
import re
import shutil
import sys
import uuid
from argparse import ArgumentTypeError
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import DatabaseError
from pymongo.errors import PyMongoError
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ainoval import mongo
from ainoval.errors import AinovalError
from ainoval.mongod import MongodUnavailable

INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_WIDTH = 200
EXAMPLE = "example:\n"
# What the server says of a `hint`; its first line would be the search.
_NO_SUCH_INDEX = "hint provided does not correspond to an existing index"
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,12})([smhdw])")
_LONGEST_SECONDS = 36_500 * 86_400


class _HelpFormatter(DjangoHelpFormatter):
    """Wraps the description, and leaves the lines of the example as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(EXAMPLE) else super()._fill_text(text, width, indent)


class ProjectCommand(BaseCommand):
    """A command of this project: every expected failure ends it with one line and a non-zero exit code; `--traceback` shows the rest.

    Attributes:
        example: Shown after the options by `--help`.
    """

    example: str = ""
    # Bad settings stop the start anyway; Django's other checks import the whole API, which takes longer than most commands.
    requires_system_checks: tuple[str, ...] | Literal["__all__"] = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, its help ending with the example."""
        epilog = EXAMPLE + self.example if self.example else None
        return super().create_parser(prog_name, subcommand, epilog=epilog, formatter_class=_HelpFormatter, **kwargs)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command, and say in one line what went wrong.

        Raises:
            CommandError: For every failure that was to be expected.
        """
        try:
            return super().execute(*args, **options)
        except MongodUnavailable as exc:
            raise CommandError(exc.message) from exc
        except mongo.UNAVAILABLE as exc:
            raise CommandError(f"MongoDB cannot be reached at {_mongodb_hosts()}. Is it running? MONGODB_URI says where it is.") from exc
        except PyMongoError as exc:
            if _NO_SUCH_INDEX in str(exc):
                raise CommandError("MongoDB lacks an index that tasks are searched by. Run `manage.py ensure_indexes`.") from exc
            raise CommandError(f"MongoDB refused: {_first_line(exc)}") from exc
        except DatabaseError as exc:
            raise CommandError(f"Django's database refused: {_first_line(exc)}. Has `manage.py migrate` been run?") from exc
        except AinovalError as exc:
            raise CommandError(exc.message) from exc
        except UnicodeEncodeError as exc:
            raise CommandError(f"This output cannot be written as {exc.encoding}: set PYTHONIOENCODING=utf-8.") from exc
        except KeyboardInterrupt as exc:
            raise CommandError("Interrupted. What was done stays done; run the command again for the rest.", returncode=INTERRUPTED) from exc
        except BrokenPipeError:
            # The reader (`head`) has seen enough. Python would complain once more when it flushes the closed pipe at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as exc:
            if exc.filename is None:
                raise
            raise CommandError(f"{os.fsdecode(exc.filename)}: {exc.strerror}.") from exc

    def print_json(self, value: Any) -> None:
        """Print a value for programs, in whatever encoding the terminal has."""
        self.stdout.write(json.dumps(value, indent=2))

    def print_table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table for people; one that goes to a file or pipe is not squeezed into a terminal's width."""
        is_terminal = self.stdout.isatty()
        width = shutil.get_terminal_size().columns if is_terminal else PIPE_WIDTH
        table = Table(title=title or None, title_justify="left", title_style="bold", box=SIMPLE, show_edge=False, pad_edge=False)
        for number, column in enumerate(columns):
            table.add_column(column, no_wrap=number == 0)
        for row in rows:
            table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        text = io.StringIO()
        Console(file=text, width=width, force_terminal=is_terminal, no_color=not is_terminal).print(table)
        self.stdout.write("\n".join(line.rstrip() for line in text.getvalue().strip("\n").splitlines()))


def _mongodb_hosts() -> str:
    """Return where MongoDB should be, without user and password."""
    configured = settings.AINOVAL.mongodb_uri
    if configured is None:
        return "the project's own server"
    return str(configured.get_secret_value()).partition("://")[2].partition("/")[0].rpartition("@")[2]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def user_id(name: str) -> str:
    """Return the id of a user who is given by username or id, as tasks and novels carry it. The id of a deleted user counts: tasks may be left of them.

    Raises:
        CommandError: There is no such user.
    """
    from ainoval.accounts.models import User

    user = User.objects.filter(username=name).first()
    if user is not None:
        return str(user.pk)
    try:
        return str(uuid.UUID(name))
    except ValueError:
        raise CommandError(f"There is no user {name!r}. Give a username or a user's id.") from None


def usernames(user_ids: Iterable[str]) -> dict[str, str]:
    """Return the usernames of those users who still exist, by id."""
    from ainoval.accounts.models import User

    keys = []
    for each in set(user_ids):
        try:
            keys.append(uuid.UUID(each))
        except ValueError:
            continue  # written by another program
    return {str(key): user.username for key, user in User.objects.in_bulk(keys).items()}


def duration(text: str) -> timedelta:
    """Return a duration that is written as a number and a unit (`90s`, `10m`, `36h`, `7d`, `2w`): an argument's `type`.

    Raises:
        ArgumentTypeError: It is written in another way, or is longer than a century.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ArgumentTypeError(f"{text!r} is not a duration: give a number and a unit, as in 90s, 10m, 36h, 7d or 2w")
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]]
    if seconds > _LONGEST_SECONDS:
        raise ArgumentTypeError(f"{text!r} is longer than a century")
    return timedelta(seconds=seconds)


def spoken(length: timedelta | float) -> str:
    """Return a duration in its largest whole unit, for people (`3 h`)."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(seconds, 0):.0f} s"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun (`1 task`, `1,200 tasks`)."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
