"""`manage.py task_stats`: the system at a glance."""

from argparse import ArgumentParser
from typing import Any

from ainoval import mongo
from ainoval.commands import ProjectCommand, counted, spoken
from tasks_app.overview import Overview, Usage, Worker, overview


class Command(ProjectCommand):
    """Shows counts, waits, limits and workers."""

    help = (
        "Show the system at a glance: tasks by status and type, why tasks wait and for how long, what runs within which limits, "
        "and the workers with the age of their last heartbeat. Changes nothing."
    )
    example = "  manage.py task_stats\n  manage.py task_stats --json"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        shown = mongo.run(overview())
        if options["json"]:
            self.print_json(as_json(shown))
            return
        total = sum(shown.by_status.values())
        self.stdout.write(f"{counted(total, 'task')} in all, those of batches included.")
        if total:
            statuses = [status for status, count in shown.by_status.items() if count]
            rows = [[name, *(counts.get(status) for status in statuses)] for name, counts in shown.by_type.items()]
            self.print_table("", ["Type", *statuses], [*rows, ["all", *(shown.by_status[status] for status in statuses)]])
        waits = ", ".join(f"{count:,} {code}" for code, count in shown.waiting.items())
        oldest = f"; the oldest has been queued for {spoken(shown.oldest_wait_seconds)}" if shown.oldest_wait_seconds is not None else ""
        self.stdout.write(f"Waiting: {waits}{oldest}." if waits else "Waiting: nothing.")
        self.stdout.write(f"Running: {_usage(shown.running)}; users at their own limit (TASKS_MAX_RUNNING_PER_USER): {shown.users_at_limit:,}.")
        for name, usage in (shown.running_by_type | shown.running_by_resource).items():
            self.stdout.write(f"  {name}: {_usage(usage)}")
        alive = sum(worker.alive for worker in shown.workers)
        self.stdout.write(f"Workers: {alive} alive." if alive else "Workers: none alive. Start them with `manage.py qcluster`.")
        if shown.workers:
            self.print_table(
                "",
                ["Worker", "Host", "Process", "State", "Heartbeat", "Running"],
                [[w.name, w.host, w.pid, _state(w), f"{spoken(w.heartbeat_age_seconds)} ago", f"{w.running} of {w.slots}"] for w in shown.workers],
            )


def as_json(shown: Overview) -> dict[str, Any]:
    """Return the overview as `--json` prints it."""
    return {
        "byStatus": shown.by_status,
        "byType": shown.by_type,
        "waitingReasons": shown.waiting,
        "oldestWaitSeconds": shown.oldest_wait_seconds,
        "running": {
            "total": _pair(shown.running),
            "byType": {name: _pair(usage) for name, usage in shown.running_by_type.items()},
            "byResource": {name: _pair(usage) for name, usage in shown.running_by_resource.items()},
            "usersAtLimit": shown.users_at_limit,
        },
        "workers": [
            {
                "name": worker.name,
                "host": worker.host,
                "pid": worker.pid,
                "alive": worker.alive,
                "draining": worker.draining,
                "heartbeatAgeSeconds": round(worker.heartbeat_age_seconds, 3),
                "running": worker.running,
                "slots": worker.slots,
            }
            for worker in shown.workers
        ],
    }


def _pair(usage: Usage) -> dict[str, int | None]:
    return {"running": usage.running, "limit": usage.limit or None}


def _usage(usage: Usage) -> str:
    return f"{usage.running:,} of at most {usage.limit:,}" if usage.limit else f"{usage.running:,} (no limit)"


def _state(worker: Worker) -> str:
    if not worker.alive:
        return "silent"
    return "draining" if worker.draining else "alive"
