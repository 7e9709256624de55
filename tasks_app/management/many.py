"""Commands that change many tasks: select, say how many, ask, act, say what was done."""

import sys
from abc import abstractmethod
from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.core.management.base import CommandError
from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from ainoval.commands import ProjectCommand, counted
from tasks_app import bulk
from tasks_app.bulk import LeftOut
from tasks_app.management.selection import add_filters, has_filters, selection, warn_of_unknown_type
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus
from tasks_app.worker.clock import ServerClock

Json = dict[str, Any]

MAX_OBJECTIONS_SHOWN = 20


async def server_time() -> datetime:
    """Return the time on MongoDB's clock, by which tasks end."""
    clock = ServerClock()
    await clock.read(mongo.database())
    return clock.now()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command found: the tasks, by status, those that were named and are left out, and which of the tasks it would leave alone, in words."""

    counts: dict[TaskStatus, int]
    left_out: list[LeftOut]
    left_alone: str

    @property
    def total(self) -> int:
        """How many tasks are selected."""
        return sum(self.counts.values())


class ManyTasksCommand(ProjectCommand):
    """Does one thing to many tasks.

    Attributes:
        of_a_batch: What becomes of a batch's tasks, whether or not the numbers count them.
        verb, participle: What it does, for its sentences (`cancel`, `cancelled`).
        statuses: Which tasks it can do it to.
        reached: States in which nothing is left to do: a task in one of them that is named by its id is no failure.
        missing_is_reached: Whether the same goes for a task that is not there.
        by_end: Whether `--older-than` counts from a task's end; else from its submission.
        children: Whether it takes single tasks of batches; else a batch as a whole only.
    """

    of_a_batch: ClassVar[str]
    verb: ClassVar[str]
    participle: ClassVar[str]
    statuses: ClassVar[frozenset[TaskStatus]]
    reached: ClassVar[frozenset[TaskStatus]] = frozenset()
    missing_is_reached: ClassVar[bool] = False
    by_end: ClassVar[bool] = False
    children: ClassVar[bool] = False

    @abstractmethod
    async def act(self, db: AsyncDatabase[Json], chosen: Selection) -> str:
        """Do it, and return one sentence that says what was done."""

    async def left_alone(self, db: AsyncDatabase[Json], chosen: Selection) -> str:
        """Return which of the selected tasks this command would leave alone, and why; empty if none."""
        return ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_filters(parser, statuses=self.statuses, since="that ended" if self.by_end else "submitted")
        parser.add_argument("--all", action="store_true", help=f"all tasks that can be {self.participle}; needed when nothing else selects")
        parser.add_argument("--dry-run", action="store_true", help="only say how many tasks it would be")
        parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal to ask on")

    def handle(self, *args: Any, **options: Any) -> None:
        filtered = has_filters(options)
        if options["all"] and filtered:
            raise CommandError("--all stands alone: leave it out, or leave out the options that select.")
        if not options["all"] and not filtered:
            raise CommandError(f"Say which tasks to {self.verb}: --id, --type, --status, --user, --older-than, or --all.")
        if warning := warn_of_unknown_type(options["task_type"]):
            self.stderr.write(self.style.WARNING(warning))
        now = mongo.run(server_time())
        chosen = selection(options, statuses=self.statuses, now=now, by_end=self.by_end, children=self.children)
        plan = mongo.run(self._plan(chosen))
        if not plan.total:
            self.stdout.write(f"Nothing to {self.verb}.")
        elif options["dry_run"]:
            self.stdout.write(f"Would {self.verb} {self._described(plan)}. Dry run: nothing was changed.")
        elif options["yes"] or self._confirmed(f"About to {self.verb} {self._described(plan)}."):
            self.stdout.write(mongo.run(self._act(chosen)))
        else:
            self.stdout.write("Nothing was changed.")
            return
        self._object(plan.left_out)

    def _described(self, plan: Plan) -> str:
        by_status = ", ".join(f"{count:,} {status}" for status, count in plan.counts.items())
        parts = [f"{counted(plan.total, 'task')} ({by_status})", self.of_a_batch]
        if plan.left_alone:
            parts.append(f"of these it would leave alone {plan.left_alone}")
        return "; ".join(parts)

    async def _plan(self, chosen: Selection) -> Plan:
        db = mongo.database()
        left_out = await bulk.left_out(db, chosen) if chosen.task_ids else []
        return Plan(await bulk.count(db, chosen), left_out, await self.left_alone(db, chosen))

    async def _act(self, chosen: Selection) -> str:
        return await self.act(mongo.database(), chosen)

    def _confirmed(self, sentence: str) -> bool:
        if sys.stdin is None or not sys.stdin.isatty():  # None: it was closed
            raise CommandError(f"{sentence} There is no terminal to ask on: add --yes to do it, or --dry-run to only look.")
        self.stdout.write(sentence)
        self.stdout.flush()
        try:
            return input("Continue? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            self.stdout.write("")
            return False

    def _object(self, tasks: list[LeftOut]) -> None:
        objections = [f"{task.task_id}: {why}" for task in tasks if (why := self._objection(task))]
        if objections:
            shown = objections[:MAX_OBJECTIONS_SHOWN]
            if len(objections) > len(shown):
                shown.append(f"and {counted(len(objections) - len(shown), 'other')}.")
            raise CommandError("\n".join(shown))

    def _objection(self, task: LeftOut) -> str | None:
        """Return why a task that was asked for was not touched; None if that is no failure."""
        if task.status is None:
            return None if self.missing_is_reached else "There is no such task."
        if task.status in self.reached:
            return None
        if task.parent_id is not None and not self.children:
            return f"It belongs to the batch {task.parent_id}: {self.verb} the batch."
        if task.status not in self.statuses:
            return f"It is {task.status}, and cannot be {self.participle}."
        return "The other options do not select it."
