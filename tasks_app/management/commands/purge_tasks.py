"""`manage.py purge_tasks`: delete many ended tasks."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.commands import counted
from tasks_app import bulk, states
from tasks_app.management.many import ManyTasksCommand
from tasks_app.selection import Selection


class Command(ManyTasksCommand):
    """Deletes the selected tasks that have ended."""

    help = (
        "Delete tasks that have ended, for ever; a batch goes with all of its tasks. Nothing in the novels changes. "
        "(Tasks go by themselves after TASKS_RETENTION_DAYS.) Says how many and asks before it does; safe to run twice."
    )
    example = "  manage.py purge_tasks --status COMPLETED --older-than 7d --dry-run\n  manage.py purge_tasks --user alice --yes"
    verb, participle = "purge", "purged"
    statuses = states.TERMINAL
    missing_is_reached = True
    by_end = True
    of_a_batch = "a batch counts as one and goes with all its tasks, or stays if some of them have not ended, which are cancelled"

    async def act(self, db: AsyncDatabase[dict[str, Any]], chosen: Selection) -> str:
        """Purge, and say what had to stay."""
        done = await bulk.purge(db, chosen)
        sentence = f"Purged {counted(done.documents, 'task')}, those of batches included."
        if done.kept:
            sentence += f" Kept {counted(done.kept, 'batch', 'batches')} with unfinished tasks, which were cancelled: run the command again later."
        return sentence
