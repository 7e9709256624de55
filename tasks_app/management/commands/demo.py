"""`manage.py demo`: the main job, end to end."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ainoval.commands import INTERRUPTED, ProjectCommand
from ainoval.development.client import ApiError
from ainoval.development.demonstration import demonstrate
from ainoval.development.screen import Screen
from ainoval.development.stack import ChildDied
from ainoval.development.summaries import ALL, SOME
from ainoval.development.users import DEMO, ForeignUser, Login


class Command(ProjectCommand):
    """Imports a novel, has every scene summarised, shows the summaries, checks the counts."""

    help = (
        "The main job, end to end, over HTTP: import a novel, submit a batch, show its progress and the summaries, check the counts. "
        "Uses the server and the workers that run, starts what does not and stops it again. Exit code 0 only if all went well."
    )
    example = "  manage.py demo --file journey.txt\n  manage.py demo --url https://write.example.org --username alice --password ..."
    requires_system_checks = "__all__"  # it starts a server, where what they find would be in a log

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", action="append", default=[], type=Path, help="a novel of yours (.txt, .md, .epub); can be repeated")
        parser.add_argument("--all", action="store_true", help="show all summaries, also of a big novel")
        parser.add_argument("--url", help="use the server there (it needs workers), as in http://127.0.0.1:8000")
        parser.add_argument("--username", help=f"whose novel it will be (default: {DEMO} of this installation)")
        parser.add_argument("--password", help="that user's password")

    def handle(self, *args: Any, **options: Any) -> None:
        username, password, url = options["username"], options["password"], options["url"]
        if (username is None) != (password is None) or (url and not username):
            raise CommandError("Give --username and --password together; --url needs both.")
        if url and not url.startswith(("http://", "https://")):
            raise CommandError("--url begins with http:// or https://, as in http://127.0.0.1:8000")
        try:
            problems = demonstrate(
                Screen(self.stdout),
                options["file"],
                url=url.rstrip("/").removesuffix("/api") if url else None,
                login=Login(username, password) if username else None,
                extract=ALL if options["all"] else SOME,
            )
        except ChildDied as exc:
            raise CommandError("\n".join([f"{exc} The end of {exc.child.log}:", *exc.last_lines])) from exc
        except (ApiError, ForeignUser, TimeoutError) as exc:
            raise CommandError(str(exc)) from exc
        except KeyboardInterrupt:
            said = "Interrupted. What was submitted stays: the workers finish it, and DELETE /api/tasks/{taskId} cancels it."
            raise CommandError(said, returncode=INTERRUPTED) from None
        if problems:
            raise CommandError("Not all went well:\n" + "\n".join(problems))
