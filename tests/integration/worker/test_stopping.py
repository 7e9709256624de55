"""Attempts that are told to stop, and do not make it easy."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import model_validator

from tasks_app import operations
from tasks_app.executable import NoParameters, TaskContext, TaskExecutable, TaskModel
from tasks_app.retry import RetryPolicy
from tasks_app.worker.worker import Worker
from tests.conftest import until
from tests.support import stored as stored_tasks
from tests.support.registered import registered
from tests.support.stored import Db
from tests.support.watched import ended, stored, submit

Start = Callable[..., Worker]


class EffectAfterEffect(TaskExecutable[NoParameters, NoParameters]):
    """Begin the next effect as soon as the last has ended."""

    task_type = "TEST_EFFECT_AFTER_EFFECT"
    begun: ClassVar[list[int]] = []

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        async def effect() -> None:
            await asyncio.sleep(0.05)

        for number in range(200):
            await ctx.effect(effect)
            self.begun.append(number)
        return NoParameters()


async def test_no_further_effect_is_begun_once_the_attempt_was_told_to_stop(start: Start) -> None:
    with registered(EffectAfterEffect):
        EffectAfterEffect.begun.clear()
        worker = start()
        task_id = await submit("TEST_EFFECT_AFTER_EFFECT")
        await until(lambda: EffectAfterEffect.begun, what="the first effect")
        await operations.cancel(task_id, user_id="alice")
        await until(lambda: not worker.attempts, what="the end of the attempt")
        assert (await stored(task_id))["status"] == "CANCELLED"
        assert len(EffectAfterEffect.begun) < 100


async def test_work_of_one_effect_after_the_other_goes_back_when_its_worker_drains(start: Start) -> None:
    with registered(EffectAfterEffect):
        EffectAfterEffect.begun.clear()
        worker = start(shutdown_grace=0.1)
        task_id = await submit("TEST_EFFECT_AFTER_EFFECT")
        await until(lambda: EffectAfterEffect.begun, what="the first effect")
        worker.drain()
        task = await ended(task_id, "QUEUED")
        assert (task["attempt"], task["attempts"][-1]["outcome"]) == (0, "released")


class LosesOne(TaskExecutable[NoParameters, NoParameters]):
    """Go on after the first cancellation, as work does whose `asyncio.wait_for` has dropped it."""

    task_type = "TEST_LOSES_ONE"
    timeout = timedelta(seconds=1)
    retry = RetryPolicy(max_attempts=1)

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)
        return NoParameters()


async def test_an_attempt_that_goes_on_after_its_time_out_is_stopped_once_more(start: Start) -> None:
    with registered(LosesOne):
        start()
        task = await ended(await submit("TEST_LOSES_ONE"), "FAILED")
        assert task["errorInfo"]["code"] == "attempt_timeout"
        assert (task["completedAt"] - task["startedAt"]).total_seconds() < 30


class Asked(TaskModel):
    """Parameters whose validator stumbles over those of an earlier version."""

    scenes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_a_first(self) -> "Asked":
        if not next(scene for scene in self.scenes if scene):
            raise ValueError("there must be a scene")
        return self


class Stumbles(TaskExecutable[Asked, NoParameters]):
    """Never come so far."""

    task_type = "TEST_STUMBLES"
    retry = RetryPolicy(max_attempts=1)

    async def execute(self, parameters: Asked, ctx: TaskContext) -> NoParameters:
        return NoParameters()


class CallsExit(TaskExecutable[NoParameters, NoParameters]):
    """Call what ends a program."""

    task_type = "TEST_CALLS_EXIT"
    retry = RetryPolicy(max_attempts=1)

    async def execute(self, parameters: NoParameters, ctx: TaskContext) -> NoParameters:
        sys.exit("That is all.")


@pytest.mark.parametrize("task_type", ["TEST_STUMBLES", "TEST_CALLS_EXIT"])
async def test_a_mistake_in_one_task_type_ends_no_work_beside_it(start: Start, db: Db, task_type: str) -> None:
    with registered(Stumbles, CallsExit):
        worker = start()
        other = await submit("TEST_SLEEP", seconds=1.0)
        await ended(other, "RUNNING")
        odd = await stored_tasks.queued(db, task_type=task_type)  # as an earlier version has accepted it
        task = await ended(odd["_id"], "FAILED")
        assert task["errorInfo"]["code"] == "unexpected_error"
        await ended(other, "COMPLETED")
        assert not worker._draining.is_set()
