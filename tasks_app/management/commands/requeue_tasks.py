"""`manage.py requeue_tasks`: send many tasks back to the queue."""

from argparse import ArgumentParser
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.commands import counted
from tasks_app import bulk, states
from tasks_app.conf import MAX_PRIORITY, MIN_PRIORITY
from tasks_app.management.many import ManyTasksCommand
from tasks_app.selection import Selection


class Command(ManyTasksCommand):
    """Sends the selected tasks that failed or were stopped back to the queue."""

    help = (
        "Send tasks that are FAILED, INTERRUPTED, CANCELLED or COMPLETED_WITH_ERRORS back to the queue, with their attempts counted afresh. "
        "A batch runs again those of its tasks that did not complete; a task of a batch is not requeued alone. "
        "Says how many and asks before it does; safe to run twice."
    )
    example = "  manage.py requeue_tasks --status FAILED --type generate-summary --user alice\n  manage.py requeue_tasks --id 665f1c2ab7e4d90012ab34cd"
    verb, participle = "requeue", "requeued"
    statuses = states.REQUEUEABLE
    reached = states.UNFINISHED
    by_end = True
    of_a_batch = "a batch counts as one and runs those of its tasks that did not complete"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--priority",
            type=int,
            choices=range(MIN_PRIORITY, MAX_PRIORITY + 1),
            metavar="N",
            help=f"their priority from now on, {MIN_PRIORITY} to {MAX_PRIORITY}, higher first; without it each keeps its own",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.priority: int | None = options["priority"]
        super().handle(*args, **options)

    async def act(self, db: AsyncDatabase[dict[str, Any]], chosen: Selection) -> str:
        """Requeue, and say what was left alone."""
        done = await bulk.requeue(db, chosen, priority=self.priority)
        sentence = f"Requeued {counted(done.requeued, 'task')}."
        return sentence + (f" Left alone {_named(done.unknown_types)}." if done.unknown_types else "")

    async def left_alone(self, db: AsyncDatabase[dict[str, Any]], chosen: Selection) -> str:
        """Name the types that are not known here."""
        return _named(await bulk.unknown_types(db, chosen))


def _named(unknown_types: dict[str, int]) -> str:
    return ", ".join(f"{counted(count, 'task')} of type {name}, which nothing here can run" for name, count in sorted(unknown_types.items()))
