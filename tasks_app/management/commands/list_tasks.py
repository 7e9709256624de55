"""`manage.py list_tasks`: tasks in a table, or as JSON."""

from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import replace
from datetime import datetime
from typing import Any

from ainoval import mongo
from ainoval.commands import ProjectCommand, spoken, usernames
from tasks_app import presenters, search
from tasks_app.management.many import server_time
from tasks_app.management.selection import add_filters, selection, warn_of_unknown_type
from tasks_app.queries import WITHOUT_HEAVY_FIELDS
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus

Json = dict[str, Any]

DEFAULT_LIMIT = 50
MAX_LIMIT = 10_000


class Command(ProjectCommand):
    """Lists tasks, the newest first."""

    help = (
        "List tasks of all users, the newest first: a table for people, or with --json one JSON array of the API's summaries, each with its userId. "
        "A batch stands for its tasks unless --children is given. Changes nothing."
    )
    example = "  manage.py list_tasks --user alice --status RUNNING,RETRYING\n  manage.py list_tasks --status FAILED --json --limit 1000"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_filters(parser, statuses=TaskStatus, since="submitted")
        parser.add_argument("--children", action="store_true", help="list the tasks of batches, too")
        parser.add_argument("--limit", metavar="N", type=_limit, default=DEFAULT_LIMIT, help=f"at most N tasks, 1 to {MAX_LIMIT} (default: {DEFAULT_LIMIT})")
        parser.add_argument("--json", action="store_true", help="one JSON array, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        if warning := warn_of_unknown_type(options["task_type"]):
            self.stderr.write(self.style.WARNING(warning))
        now = mongo.run(server_time())
        chosen = selection(options, statuses=frozenset(TaskStatus), now=now, children=options["children"] or bool(options["ids"]))
        if options["older_than"] is None:
            chosen = replace(chosen, created_before=None)  # nothing is changed here, so the very newest may be shown
        limit = options["limit"]
        # One more than is shown tells whether there are more, without counting them all.
        tasks, summaries = mongo.run(_read(chosen, limit + 1))
        if options["json"]:
            self.print_json([summary | {"userId": task["userId"]} for task, summary in zip(tasks[:limit], summaries, strict=False)])
        elif tasks:
            names = usernames(task["userId"] for task in tasks[:limit])
            columns = ["Task", "Type", "Status", "Progress", "Waits for", "User", "Attempt", "Submitted", "Ended"]
            shown = zip(tasks[:limit], summaries, strict=False)
            self.print_table("", columns, [_row(task, summary, names, now) for task, summary in shown])
            if len(tasks) > limit:
                self.stdout.write(f"The newest {limit:,}; there are more: --limit shows up to {MAX_LIMIT:,}.")
        else:
            self.stdout.write("No task matches.")


async def _read(chosen: Selection, limit: int) -> tuple[list[Json], list[Json]]:
    tasks = await search.newest(mongo.database(), chosen, WITHOUT_HEAVY_FIELDS, limit=limit)
    facts = await presenters.waiting_facts()
    return tasks, [presenters.summary(task, facts) for task in tasks]


def _row(task: Json, summary: Json, names: dict[str, str], now: datetime) -> list[object]:
    progress, reason, ended = summary["progress"], summary["waitingReason"], task.get("completedAt")
    steps = f" ({progress['current']}/{progress['total']})" if progress["total"] else ""
    return [
        summary["taskId"],
        summary["taskType"],
        summary["status"],
        f"{progress['percentage']} %{steps}",
        reason["code"] if reason else "",
        names.get(task["userId"], task["userId"]),
        f"{summary['attempt']}/{summary['maxAttempts']}",
        f"{spoken(now - task['createdAt'])} ago",
        f"{spoken(now - ended)} ago" if ended else "",
    ]


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_LIMIT}")
    return int(text)
