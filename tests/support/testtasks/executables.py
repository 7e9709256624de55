"""Tiny real task types: they wait, fail, block, die and count, as tests need it."""

import asyncio
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from ainoval import mongo
from tasks_app.errors import PermanentFailure, RetryLater
from tasks_app.executable import ChildOutcome, ChildTask, FanOut, NoParameters, TaskContext, TaskExecutable, TaskModel, ThreadContext
from tasks_app.registry import register
from tasks_app.retry import RetryPolicy
from tasks_app.states import TaskStatus

LEDGER = "test_ledger"
QUICK = RetryPolicy(max_attempts=3, first_delay=timedelta(milliseconds=20), max_delay=timedelta(milliseconds=50))


class Where(TaskModel):
    """Where the work ran."""

    ran_on: str
    pid: int
    thread: str


def where() -> Where:
    """Say whether this is an event loop or a thread, and which."""
    try:
        asyncio.get_running_loop()
        ran_on = "loop"
    except RuntimeError:
        ran_on = "thread"
    return Where(ran_on=ran_on, pid=os.getpid(), thread=threading.current_thread().name)


class Tag(TaskModel):
    """A word that says which test's task this is."""

    tag: str = ""


class Sleep(Tag):
    """How long to wait."""

    seconds: float = 1.0


@register
class Noop(TaskExecutable[NoParameters, Where]):
    """Do nothing."""

    task_type = "TEST_NOOP"

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> Where:
        return where()


@register
class SleepTask(TaskExecutable[Sleep, Where]):
    """Wait, as an AI call does."""

    task_type = "TEST_SLEEP"
    retry = QUICK

    async def execute(self, parameters: Sleep, ctx: TaskContext) -> Where:
        await asyncio.sleep(parameters.seconds)
        return where()


@register
class Blocking(TaskExecutable[Sleep, Where]):
    """Hold the event loop, as a mistake does."""

    task_type = "TEST_BLOCKING"

    async def execute(self, parameters: Sleep, ctx: TaskContext) -> Where:
        time.sleep(parameters.seconds)  # noqa: ASYNC251
        return where()


@register
class ThreadSleep(TaskExecutable[Sleep, Where]):
    """Wait in a thread, and look for a cancellation."""

    task_type = "TEST_THREAD"
    retry = QUICK

    def execute(self, parameters: Sleep, ctx: ThreadContext) -> Where:  # type: ignore[override]
        end = time.monotonic() + parameters.seconds
        while time.monotonic() < end:
            ctx.progress(message="waiting")
            time.sleep(0.02)
        return where()


@register
class ToThread(TaskExecutable[Sleep, Where]):
    """Wait in a thread of asyncio's, which nothing can stop."""

    task_type = "TEST_TO_THREAD"

    async def execute(self, parameters: Sleep, ctx: TaskContext) -> Where:
        await asyncio.to_thread(time.sleep, parameters.seconds)
        return where()


class FlakyParameters(Tag):
    """How often to fail before it goes well."""

    failures: int = 1
    code: str | None = None


@register
class Flaky(TaskExecutable[FlakyParameters, NoParameters]):
    """Fail a few times."""

    task_type = "TEST_FLAKY"
    retry = QUICK

    async def execute(self, parameters: FlakyParameters, ctx: TaskContext) -> NoParameters:
        if ctx.attempt <= parameters.failures:
            match parameters.code:
                case None:
                    raise RuntimeError("secret path /etc/passwd")
                case "permanent":
                    raise PermanentFailure("It cannot work.", code="cannot_work")
                case "later":
                    raise RetryLater(timedelta(milliseconds=50), "Not now.")
        return NoParameters()


@register
class Slow(TaskExecutable[Sleep, NoParameters]):
    """Take longer than its time-out."""

    task_type = "TEST_SLOW"
    timeout = timedelta(milliseconds=200)
    retry = RetryPolicy(max_attempts=2, first_delay=timedelta(0), max_delay=timedelta(0))

    async def execute(self, parameters: Sleep, ctx: TaskContext) -> NoParameters:
        await asyncio.sleep(parameters.seconds)
        return NoParameters()


class Steps(Tag):
    """How many steps, and how long each."""

    steps: int = 5
    seconds: float = 0.05


@register
class Progressing(TaskExecutable[Steps, NoParameters]):
    """Report progress at each step."""

    task_type = "TEST_PROGRESS"

    async def execute(self, parameters: Steps, ctx: TaskContext) -> NoParameters:
        for step in range(1, parameters.steps + 1):
            await asyncio.sleep(parameters.seconds)
            await ctx.progress(current=step, total=parameters.steps, message=f"step {step}")
        return NoParameters()


@register
class KillsItsWorker(TaskExecutable[Tag, NoParameters]):
    """Kill the process it runs in: a poisonous task."""

    task_type = "TEST_POISON"

    async def execute(self, parameters: Tag, ctx: TaskContext) -> NoParameters:
        os.kill(os.getpid(), signal.SIGKILL)
        return NoParameters()


async def _exits() -> None:
    sys.exit("That is all.")


@register
class CallsExitBeside(TaskExecutable[Tag, NoParameters]):
    """Call what ends a program, in a coroutine beside its own."""

    task_type = "TEST_EXIT_BESIDE"
    retry = RetryPolicy(max_attempts=1)

    async def execute(self, parameters: Tag, ctx: TaskContext) -> NoParameters:
        await asyncio.gather(_exits(), asyncio.sleep(0))
        return NoParameters()


@register
class CallsExitFromThread(TaskExecutable[Tag, NoParameters]):
    """Call what ends a program, in what a thread has done on the loop."""

    task_type = "TEST_EXIT_FROM_THREAD"
    retry = RetryPolicy(max_attempts=1)

    def execute(self, parameters: Tag, ctx: ThreadContext) -> NoParameters:
        ctx.run(lambda _: _exits())
        return NoParameters()


@register
class RunOnce(TaskExecutable[Sleep, NoParameters]):
    """Must not run again after its worker was lost."""

    task_type = "TEST_RUN_ONCE"
    rerun_after_loss = False

    async def execute(self, parameters: Sleep, ctx: TaskContext) -> NoParameters:
        await asyncio.sleep(parameters.seconds)
        return NoParameters()


@register
class Ledger(TaskExecutable[Sleep, NoParameters]):
    """Wait, then write one line into the ledger: each line is one effect."""

    task_type = "TEST_LEDGER"
    retry = QUICK

    async def execute(self, parameters: Sleep, ctx: TaskContext) -> NoParameters:
        await asyncio.sleep(parameters.seconds)

        async def effect() -> None:
            await mongo.database()[LEDGER].insert_one({"task": ctx.task_id, "attempt": ctx.attempt, "tag": parameters.tag})

        await ctx.effect(effect)
        return NoParameters()


class Big(Tag):
    """How large a result to return."""

    size: int = 0


class BigResult(TaskModel):
    """A large result."""

    data: str


@register
class ReturnsMuch(TaskExecutable[Big, BigResult]):
    """Return a large result."""

    task_type = "TEST_BIG"

    async def execute(self, parameters: Big, ctx: TaskContext) -> BigResult:
        return BigResult(data="x" * parameters.size)


class FamilyParameters(Tag):
    """Which children."""

    count: int = 3
    seconds: float = 0.0
    failing: int = 0


class FamilyResult(TaskModel):
    """How the children ended."""

    completed: int
    other: int


@register
class Family(TaskExecutable[FamilyParameters, FamilyResult]):
    """A batch of sleepers, of which some fail."""

    task_type = "TEST_FAMILY"

    async def execute(self, parameters: FamilyParameters, ctx: TaskContext) -> FanOut:
        children = []
        for number in range(parameters.count):
            if number < parameters.failing:
                children.append(ChildTask(str(number), "TEST_FLAKY", FlakyParameters(failures=99, code="permanent")))
            else:
                children.append(ChildTask(str(number), "TEST_SLEEP", Sleep(seconds=parameters.seconds)))
        return await ctx.fan_out(children)

    def collect(self, parameters: FamilyParameters, children: Any) -> FamilyResult:
        outcomes: list[ChildOutcome] = list(children)
        completed = sum(child.status is TaskStatus.COMPLETED for child in outcomes)
        return FamilyResult(completed=completed, other=len(outcomes) - completed)
