"""The context that an attempt gives its executable: the worker's side of `executable.TaskContext` and `ThreadContext`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from structlog.stdlib import BoundLogger

from ainoval.ai.service import AIService
from ainoval.novels.service import NovelService, SceneService
from tasks_app import families
from tasks_app.errors import AttemptStopped
from tasks_app.executable import ChildTask, FanOut, Services, TaskContext

if TYPE_CHECKING:
    from tasks_app.worker.attempt import Attempt

T = TypeVar("T")


class LoopContext:
    """For `async def execute`: runs on the worker's loop."""

    __slots__ = ("_attempt", "ai", "attempt", "novels", "scenes", "task_id", "user_id")

    def __init__(self, attempt: "Attempt", services: Services) -> None:
        self._attempt = attempt
        self.task_id: str = attempt.task_id
        self.user_id: str = attempt.user_id
        self.attempt: int = attempt.number
        self.novels: NovelService = services.novels
        self.scenes: SceneService = services.scenes
        self.ai: AIService = services.ai

    @property
    def log(self) -> BoundLogger:
        """A logger whose lines name the attempt."""
        return self._attempt.log

    @property
    def draft(self) -> dict[str, Any] | None:
        """What `save_draft` stored last, in this attempt or an earlier one."""
        return self._attempt.draft

    @property
    def cancelled(self) -> bool:
        """Whether this attempt was told to stop."""
        return self._attempt.stop_reason is not None

    async def progress(
        self,
        *,
        current: int | None = None,
        total: int | None = None,
        message: str | None = None,
        percentage: int | None = None,
    ) -> None:
        """Report how far the work is."""
        self._attempt.report(current, total, message, percentage)

    async def ready(self) -> None:
        """Wait until the lease is certain."""
        await self._attempt.certain()

    async def save_draft(self, draft: dict[str, Any]) -> None:
        """Store what was generated, by a fenced write."""
        await self._attempt.save_draft(draft)

    async def effect(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something that must not be cut in half."""
        await self._attempt.certain()
        with self._attempt.protected():
            return await work()

    async def applied(self) -> None:
        """Record that the result was written into the novel."""
        await self._attempt.mark_applied()

    def add_usage(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count tokens that this attempt has paid for."""
        self._attempt.add_usage(prompt_tokens, completion_tokens)

    async def fan_out(self, children: Sequence[ChildTask]) -> FanOut:
        """Store the children of this task."""
        await self._attempt.certain()
        total = await families.plant(self._attempt.db, self._attempt.document, children, self._attempt.services)
        return FanOut(total)

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Run CPU work in the worker's thread pool."""
        return await self._attempt.in_thread(function, args)


class PoolContext:
    """For `def execute`: used from a thread of the pool; `draft`, `progress` and `run` raise AttemptStopped once the attempt was told to stop."""

    def __init__(self, context: TaskContext, attempt: "Attempt", loop: asyncio.AbstractEventLoop) -> None:
        self._context = context
        self._attempt = attempt
        self._loop = loop
        self.task_id = context.task_id
        self.user_id = context.user_id
        self.attempt = context.attempt
        self.log = context.log

    @property
    def draft(self) -> dict[str, Any] | None:
        """What an earlier attempt saved."""
        self._check()
        return self._context.draft

    @property
    def cancelled(self) -> bool:
        """Whether this attempt was told to stop."""
        return self._attempt.stop_reason is not None

    def progress(
        self,
        *,
        current: int | None = None,
        total: int | None = None,
        message: str | None = None,
        percentage: int | None = None,
    ) -> None:
        """Report how far the work is."""
        self._check()
        self._loop.call_soon_threadsafe(self._attempt.report, current, total, message, percentage)

    def run(self, work: Callable[[TaskContext], Awaitable[T]]) -> T:
        """Do something on the worker's loop, and wait for it."""
        self._check()

        async def on_loop() -> T:
            return await work(self._context)

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result()

    def _check(self) -> None:
        if self._attempt.stop_reason is not None:
            raise AttemptStopped(f"This attempt was stopped ({self._attempt.stop_reason}).")
