"""`manage.py dev`: everything in one terminal."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ainoval.commands import ProjectCommand
from ainoval.development.client import ApiError
from ainoval.development.preparation import AlreadyRunning
from ainoval.development.running import PortTaken, run
from ainoval.development.screen import Screen
from ainoval.development.users import ADMIN, DEMO, ForeignUser


class Command(ProjectCommand):
    """Starts MongoDB, the server and the workers, and shows the main job."""

    help = (
        "Start everything in one terminal: MongoDB, migrations, users, sample novels, the server and the workers. "
        "Summarises the samples, prints addresses and logins, and stays until Ctrl-C."
    )
    example = "  manage.py dev\n  AINOVAL_DATA_DIR=second AINOVAL_PORT=8001 manage.py dev --no-demo"
    requires_system_checks = "__all__"  # a developer wants to see what they find

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo-password", help="the writer's password (otherwise generated once and kept in the data folder)")
        parser.add_argument("--admin-password", help="the admin's password, likewise")
        parser.add_argument("--no-demo", action="store_true", help="do not summarise the sample novels at the start")

    def handle(self, *args: Any, **options: Any) -> None:
        passwords = {DEMO: options["demo_password"], ADMIN: options["admin_password"]}
        try:
            all_well = run(Screen(self.stdout), {name: word for name, word in passwords.items() if word}, demo=not options["no_demo"])
        except AlreadyRunning as exc:
            raise CommandError(
                f"`manage.py dev` runs already on this data folder ({exc}). Stop it with Ctrl-C in its terminal, "
                "or set AINOVAL_DATA_DIR and AINOVAL_PORT for a second one."
            ) from exc
        except (ApiError, ForeignUser, PortTaken, TimeoutError) as exc:
            raise CommandError(str(exc)) from exc
        if not all_well:
            sys.exit(1)
