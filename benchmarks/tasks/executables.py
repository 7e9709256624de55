"""The task types that are measured: nothing, a wait, and nothing with progress. Each says by `record` when it ran."""

import asyncio
import time

from benchmarks.record import note
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable, TaskModel
from tasks_app.registry import register


class Wait(TaskModel):
    """How long to wait."""

    seconds: float = 1.0


class Nothing(TaskModel):
    """No result."""


@register
class BenchNoop(TaskExecutable[NoParameters, Nothing]):
    """Do nothing."""

    task_type = "BENCH_NOOP"

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> Nothing:
        """Return at once."""
        note(time.monotonic())
        return Nothing()


@register
class BenchProgress(TaskExecutable[NoParameters, Nothing]):
    """Report progress once."""

    task_type = "BENCH_PROGRESS"

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> Nothing:
        """Say that half of nothing is done."""
        began = time.monotonic()
        await ctx.progress(current=1, total=2, message="half of it")
        note(began)
        return Nothing()


@register
class BenchWait(TaskExecutable[Wait, Nothing]):
    """Wait, as an AI call does."""

    task_type = "BENCH_WAIT"

    async def execute(self, parameters: Wait, ctx: TaskContext) -> Nothing:
        """Sleep on the loop."""
        began = time.monotonic()
        await asyncio.sleep(parameters.seconds)
        note(began)
        return Nothing()
