"""`manage.py seed_console`: a database to look at and to measure."""

import time
from argparse import ArgumentParser
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from ainoval import indexes, mongo
from ainoval.commands import ProjectCommand, counted
from ainoval.development.seeding import live, store
from ainoval.development.seeding.library import users
from ainoval.development.seeding.plan import ZIPF_EXPONENT, Plan
from tasks_app.waiting import REASONS

BEAT_SECONDS = 2.0
TOLD_EVERY = 50_000


class Command(ProjectCommand):
    """Makes a month's work: writers, novels, tasks in every status, workers, and the counts of what ended."""

    help = (
        "Fill a database with a month of made-up work: writers with Zipf shares, novels and scenes, tasks in every status, batches with their tasks, "
        "one task stuck for each reason to wait, a task type that has begun to fail, and the counts that the overview's charts are drawn from. "
        "For looking at the console and for measuring; refuses a database that holds tasks."
    )
    example = (
        "  MONGODB_DATABASE=seeded manage.py seed_console\n"
        "  MONGODB_DATABASE=seeded manage.py seed_console --tasks 20000 --beat\n"
        "  MONGODB_DATABASE=seeded manage.py seed_console --tasks 0 --beat        # only keep the seeded workers reporting"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tasks", type=int, default=1_000_000, metavar="N", help="how many tasks, those of batches included (default: a million)")
        parser.add_argument("--users", type=int, default=200, metavar="N", help="how many writers (default: 200)")
        parser.add_argument("--exponent", type=float, default=ZIPF_EXPONENT, help="of the writers' Zipf shares (default: %(default)s; 1 for a heavier head)")
        parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
        parser.add_argument("--beside-real-tasks", action="store_true", help="also where there are tasks: the two cannot be told apart afterwards")
        parser.add_argument("--beat", action="store_true", help="keep the seeded workers reporting, until Ctrl-C: without, they are silent after 8 s")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["tasks"] and not options["beat"]:
            raise CommandError("Nothing to do: --tasks 0 needs --beat.")
        if options["tasks"]:
            self._seed(options)
        if options["beat"]:
            self._beat()

    def _seed(self, options: dict[str, Any]) -> None:
        if options["tasks"] < 1_000 or options["users"] < 3:
            raise CommandError("Give --tasks 1000 or more, and --users 3 or more.")
        if mongo.run(_holds_tasks()) and not options["beside_real_tasks"]:
            raise CommandError(
                f"The database {mongo.database_name()!r} holds tasks. Name another with MONGODB_DATABASE, or say --beside-real-tasks if they may be mixed."
            )
        indexes.ensure_indexes()
        began = time.monotonic()
        plan = Plan(options["tasks"], options["users"], options["seed"], datetime.now(UTC), options["exponent"])
        owners = users(plan.users)
        seeded = mongo.run(_fill(plan, owners, self._told))
        seconds = time.monotonic() - began
        self.stdout.write(
            f"{counted(seeded.tasks, 'task')}, {counted(seeded.batches, 'batch', 'batches')} among them, of {counted(plan.users, 'writer')} "
            f"with {counted(seeded.novels, 'novel')} and {counted(seeded.scenes, 'scene')}, in {seconds:.0f} s."
        )
        running = seeded.running_by_type.get("GENERATE_SCENE", 0)
        shown_by = {
            "type_limit": f"TASKS_TYPE_LIMITS=GENERATE_SCENE={running}",
            "system_limit": f"TASKS_MAX_RUNNING={seeded.running}",
            "no_worker": "without --beat",
            "user_limit": "--beat",
        }
        rows = [(reason, live.stuck_id(reason), shown_by.get(reason, "--beat")) for reason in REASONS]
        self.print_table("One task for each reason to wait", ["Reason", "Task", "Shown with"], rows)
        self.stdout.write("Left out: paused and budget, which come with later work.")

    def _told(self, stored: int) -> None:
        if stored % TOLD_EVERY == 0:
            self.stdout.write(f"{counted(stored, 'task')} …")
            self.stdout.flush()

    def _beat(self) -> None:
        with suppress(KeyboardInterrupt):  # how it is meant to end
            if mongo.run(_report()):
                self.stdout.write("The seeded workers report until Ctrl-C.")
                self.stdout.flush()
            while mongo.run(_report()):
                time.sleep(BEAT_SECONDS)
            raise CommandError("There are no seeded workers here; those that were silent for a day are forgotten. Seed another database.")


async def _holds_tasks() -> bool:
    return await store.holds_tasks(mongo.database())


async def _fill(plan: Plan, owners: list[Any], told: Any) -> store.Seeded:
    return await store.seed(mongo.database(), plan, owners, told)


async def _report() -> int:
    return await store.beat(mongo.database())
