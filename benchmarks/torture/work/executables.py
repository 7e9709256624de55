"""The scenarios' task types: work with an effect, a poisonous one, and families."""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import timedelta

from benchmarks.torture.work.ledger import enter, token_of
from tasks_app.errors import PermanentFailure
from tasks_app.executable import ChildOutcome, ChildTask, FanOut, NoParameters, TaskContext, TaskExecutable, TaskModel
from tasks_app.registry import register
from tasks_app.retry import RetryPolicy
from tasks_app.states import TaskStatus

QUICK = RetryPolicy(max_attempts=5, first_delay=timedelta(milliseconds=50), max_delay=timedelta(milliseconds=200))


class WorkParameters(TaskModel):
    """How long each step takes, how many there are, and whether the work fails in the end."""

    milliseconds: int = 100
    steps: int = 1
    fails: bool = False


class WorkResult(TaskModel):
    """The token of the attempt whose result this is."""

    token: str


@register
class Work(TaskExecutable[WorkParameters, WorkResult]):
    """Wait as an AI call does, then write a line into the ledger; report progress with the attempt's token, so that it shows who wrote it."""

    task_type = "TORTURE_WORK"
    retry = QUICK

    async def execute(self, parameters: WorkParameters, ctx: TaskContext) -> WorkResult:
        """Do the steps."""
        for step in range(parameters.steps):
            await ctx.progress(current=step, total=parameters.steps, message=token_of(ctx))
            await asyncio.sleep(parameters.milliseconds / 1000)
            await enter(ctx, step)
        if parameters.fails:
            raise PermanentFailure(token_of(ctx), code="as_asked")
        return WorkResult(token=token_of(ctx))


@register
class Poison(TaskExecutable[NoParameters, NoParameters]):
    """Kill the process it runs in."""

    task_type = "TORTURE_POISON"

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)
        return NoParameters()


class FamilyParameters(TaskModel):
    """How many children, what each does, and how long the parent thinks before it plants them."""

    children: int = 20
    milliseconds: int = 100
    failing: int = 0
    planning_milliseconds: int = 0


class FamilyResult(TaskModel):
    """How the children ended, as the parent's result counts them."""

    by_status: dict[str, int]


@register
class Family(TaskExecutable[FamilyParameters, FamilyResult]):
    """A batch of `TORTURE_WORK`."""

    task_type = "TORTURE_FAMILY"
    retry = QUICK

    async def execute(self, parameters: FamilyParameters, ctx: TaskContext) -> FanOut:
        """Plan, then plant."""
        await asyncio.sleep(parameters.planning_milliseconds / 1000)
        return await ctx.fan_out(
            [
                ChildTask(str(number), Work.task_type, WorkParameters(milliseconds=parameters.milliseconds, fails=number < parameters.failing))
                for number in range(parameters.children)
            ]
        )

    def collect(self, parameters: FamilyParameters, children: Sequence[ChildOutcome]) -> FamilyResult:
        """Count the children by their ends."""
        return FamilyResult(by_status={status.value: sum(child.status is status for child in children) for status in TaskStatus})
