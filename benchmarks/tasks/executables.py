"""The task types that are measured: nothing, and a wait."""

import asyncio
import time

from tasks_app.executable import NoParameters, TaskContext, TaskExecutable, TaskModel
from tasks_app.registry import register


class Began(TaskModel):
    """When the first line ran: seconds of the machine's monotonic clock, which all its processes share."""

    at: float


class Wait(TaskModel):
    """How long to wait."""

    seconds: float = 1.0


@register
class BenchNoop(TaskExecutable[NoParameters, Began]):
    """Do nothing."""

    task_type = "BENCH_NOOP"

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> Began:
        """Return at once."""
        return Began(at=time.monotonic())


@register
class BenchWait(TaskExecutable[Wait, Began]):
    """Wait, as an AI call does."""

    task_type = "BENCH_WAIT"

    async def execute(self, parameters: Wait, ctx: TaskContext) -> Began:
        """Sleep on the loop."""
        began = time.monotonic()
        await asyncio.sleep(parameters.seconds)
        return Began(at=began)
