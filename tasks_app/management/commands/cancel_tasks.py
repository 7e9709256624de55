"""`manage.py cancel_tasks`: cancel many tasks."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.commands import counted
from tasks_app import bulk, states
from tasks_app.management.many import ManyTasksCommand
from tasks_app.selection import Selection


class Command(ManyTasksCommand):
    """Cancels the selected tasks that have not ended."""

    help = (
        "Cancel tasks that have not ended. A waiting task is CANCELLED at once; a running one becomes CANCELLING until its worker has stopped it; "
        "the tasks of a batch are cancelled with it. Says how many and asks before it does; safe to run twice."
    )
    example = "  manage.py cancel_tasks --user alice --type generate-summary\n  manage.py cancel_tasks --status QUEUED --older-than 2d --yes"
    verb, participle = "cancel", "cancelled"
    statuses = states.UNFINISHED
    reached = states.TERMINAL
    children = True
    of_a_batch = "the tasks of a batch are cancelled with it"

    async def act(self, db: AsyncDatabase[dict[str, Any]], chosen: Selection) -> str:
        """Cancel, and say what became of the tasks."""
        done = await bulk.cancel(db, chosen)
        sentence = f"Cancelled {counted(done.at_once, 'waiting task')} at once and asked {counted(done.requested, 'running task')} to stop"
        return sentence + (f", with the tasks of {counted(done.batches, 'batch', 'batches')}." if done.batches else ".")
