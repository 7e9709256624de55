"""`manage.py recover_tasks`: put right what lost workers left behind."""

from argparse import ArgumentParser
from typing import Any

from ainoval import mongo
from ainoval.commands import ProjectCommand, counted, duration
from tasks_app import recovery
from tasks_app.recovery import Damage, Recovered
from tasks_app.states import TaskStatus


class Command(ProjectCommand):
    """Recovers the tasks of lost workers and repairs their batches."""

    help = (
        "Recover the tasks of lost workers, whose lease has run out: they go back to the queue without losing an attempt; at the third loss, "
        "or if their type must not run twice, they become INTERRUPTED; those that were being cancelled become CANCELLED. Then repair batches: end those "
        "whose tasks have all ended, and cancel what is queued of batches that have ended. Workers do all this by themselves; the command is for when none "
        "runs. After an outage of MongoDB, use --older-than to give living workers time to renew their leases. Safe to run twice and beside running workers."
    )
    example = "  manage.py recover_tasks --dry-run\n  manage.py recover_tasks --older-than 10m --mark-failed"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            metavar="AGE",
            type=duration,
            default=duration("0s"),
            help="only leases that ran out longer ago than this (90s, 10m, 36h); without it, all that have run out",
        )
        parser.add_argument(
            "--mark-failed",
            action="store_true",
            help="end the tasks FAILED instead of running them again (those that were being cancelled become CANCELLED all the same)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be recovered")

    def handle(self, *args: Any, **options: Any) -> None:
        seconds = options["older_than"].total_seconds()

        async def preview() -> Damage:
            return await recovery.preview(mongo.database(), expired_for_seconds=seconds, mark_failed=options["mark_failed"])

        async def recover() -> Recovered:
            return await recovery.recover(mongo.database(), expired_for_seconds=seconds, mark_failed=options["mark_failed"])

        if options["dry_run"]:
            damage = mongo.run(preview())
            self._show(damage, mark_failed=options["mark_failed"])
        else:
            self._say(mongo.run(recover()))

    def _show(self, damage: Damage, *, mark_failed: bool) -> None:
        self.stdout.write(
            f"Would {_of_lost(damage.lost, mark_failed=mark_failed)}, "
            f"end {counted(damage.finished_batches, 'batch', 'batches')}, "
            f"and cancel what is queued of {counted(damage.orphaned_batches, 'ended batch', 'ended batches')}. Dry run: nothing was changed."
        )
        for owner, count in sorted(damage.owners.items()):
            self.stdout.write(f"  {owner}: {counted(count, 'task')}")

    def _say(self, done: Recovered) -> None:
        what_now = f", now {_listed(done.now)}" if done.now else ""
        self.stdout.write(
            f"Recovered {counted(done.tasks, 'task')} of lost workers{what_now}; "
            f"ended {counted(done.finished_batches, 'batch', 'batches')}; "
            f"cancelled what was queued of {counted(done.orphaned_batches, 'ended batch', 'ended batches')}."
        )


def _of_lost(lost: dict[str, int], *, mark_failed: bool) -> str:
    total = sum(lost.values())
    if not mark_failed:
        return f"recover {counted(total, 'task')} of lost workers" + (f" ({_listed(lost)})" if total else "")
    cancelling = lost.get(TaskStatus.CANCELLING, 0)
    failed = f"mark failed {counted(total - cancelling, 'task')} of lost workers"
    return failed + (f", cancel {cancelling:,} that were being cancelled" if cancelling else "")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
