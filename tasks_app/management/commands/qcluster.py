"""`manage.py qcluster`: the worker cluster."""

import atexit
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ainoval.mongod import MongodUnavailable
from tasks_app.checks import TAG
from tasks_app.worker.cluster import TaskCluster


class Command(BaseCommand):
    """Starts the worker cluster: django-q2's, with our workers. SIGTERM or Ctrl-C drains and stops it."""

    # Ours alone: Django's import the whole API, which no worker needs, and each of them would keep it in memory.
    requires_system_checks = (TAG,)
    help = "Start the worker cluster. SIGTERM or Ctrl-C lets running tasks end (TASKS_SHUTDOWN_GRACE), hands back the rest, and stops."

    def run_from_argv(self, argv: list[str]) -> None:
        """Run, and end the process."""
        super().run_from_argv(argv)
        # Not by the interpreter's way: it takes itself apart for up to two seconds first, and whoever sent the SIGTERM counts them.
        atexit._run_exitfuncs()  # stops the embedded server, if nobody else uses it
        os._exit(0)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            TaskCluster().run()
        except MongodUnavailable as exc:
            raise CommandError(exc.message) from exc
