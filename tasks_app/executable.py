"""What the author of a task type writes against: a typed class and the context it is given. Nothing here knows MongoDB, django-q2 or HTTP.

@register
class CountWords(TaskExecutable[CountWordsParameters, CountWordsResult]):
    "Count the words of a novel."

    task_type = "COUNT_WORDS"

    async def execute(self, parameters, ctx):
        ...
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar, get_args

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from structlog.stdlib import BoundLogger

from ainoval.ai.service import AIService
from ainoval.novels.service import NovelService, SceneService
from tasks_app.errors import ApplyRefused
from tasks_app.retry import RetryPolicy
from tasks_app.states import TaskStatus

T = TypeVar("T")


class TaskModel(BaseModel):
    """Base of parameters and results: frozen, camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False)


def either(*groups: tuple[str, ...]) -> ConfigDict:
    """Describe that exactly one of these groups of optional fields is given, whole, and the others are null or left out.

    A validator of the model checks it; this says it in the JSON Schema, as `model_config`.

    Args:
        groups: Names on the wire.
    """

    def given(group: tuple[str, ...]) -> dict[str, Any]:
        others = {name: {"type": "null"} for names in groups if names != group for name in names}
        return {"required": [*group], "properties": {name: {"not": {"type": "null"}} for name in group} | others}

    return ConfigDict(json_schema_extra={"oneOf": [given(group) for group in groups]})


class NoParameters(TaskModel):
    """For types that need none."""


P = TypeVar("P", bound=TaskModel)
R = TypeVar("R", bound=TaskModel)


@dataclass(frozen=True, slots=True)
class ChildTask:
    """A task that a batch wants done.

    Args:
        key: What it is about, unique in its family (a scene's id): the child's id derives from it, so that planning twice makes no twins.
        task_type: The child's type.
        parameters: Its parameters.
    """

    key: str
    task_type: str
    parameters: TaskModel


@dataclass(frozen=True, slots=True)
class FanOut:
    """Returned by `execute` instead of a result: the children are stored, and the task waits for them without a slot. Made by `ctx.fan_out`."""

    total: int


@dataclass(frozen=True, slots=True)
class ChildOutcome:
    """How a child ended, for its parent's result."""

    status: TaskStatus
    parameters: dict[str, Any]
    result: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """Where a result went: the scene and its version afterwards; `already` when an earlier call had written it."""

    scene_id: str
    version: int
    already: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """The domain, as task types may use it."""

    novels: NovelService
    scenes: SceneService
    ai: AIService


class TaskContext(Protocol):
    """What an `async def execute` is given.

    Attributes:
        task_id, user_id: Whose task this is.
        attempt: This attempt's number, from 1.
        draft: What an earlier attempt saved with `save_draft`, or None.
        log: A logger that carries the task's ids.
    """

    task_id: str
    user_id: str
    attempt: int
    novels: NovelService
    scenes: SceneService
    ai: AIService

    @property
    def log(self) -> BoundLogger: ...

    @property
    def draft(self) -> dict[str, Any] | None: ...

    @property
    def cancelled(self) -> bool:
        """Whether this attempt was told to stop (a coroutine is cancelled besides)."""

    async def progress(
        self,
        *,
        current: int | None = None,
        total: int | None = None,
        message: str | None = None,
        percentage: int | None = None,
    ) -> None:
        """Report how far the work is; stored at most each TASKS_PROGRESS_INTERVAL, the last report always."""

    async def ready(self) -> None:
        """Wait until the lease is certain: call it before anything that costs money or cannot be undone. Raises AttemptStopped once told to stop."""

    async def save_draft(self, draft: dict[str, Any]) -> None:
        """Store what was generated before it takes effect (at most 1 MiB). Raises LeaseLost when another attempt has the task."""

    async def effect(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something that must not be cut in half: a cancellation waits for its end, and a result then still counts. Is not begun, and raises
        AttemptStopped, once the attempt was told to stop.
        """

    async def applied(self) -> None:
        """Record that this task's result was written into the novel."""

    def add_usage(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count tokens that this attempt has paid for."""

    async def fan_out(self, children: Sequence[ChildTask]) -> FanOut:
        """Store the children; return its answer from `execute`."""

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Run CPU work in the worker's thread pool."""


class ThreadContext(Protocol):
    """What a `def execute` is given, in its thread. `draft`, `progress` and `run` raise AttemptStopped once the attempt was told to stop."""

    task_id: str
    user_id: str
    attempt: int
    log: BoundLogger

    @property
    def draft(self) -> dict[str, Any] | None: ...

    @property
    def cancelled(self) -> bool:
        """Whether this attempt was told to stop: check it in every long loop."""

    def progress(
        self,
        *,
        current: int | None = None,
        total: int | None = None,
        message: str | None = None,
        percentage: int | None = None,
    ) -> None:
        """Report how far the work is."""

    def run(self, work: Callable[[TaskContext], Awaitable[T]]) -> T:
        """Do something on the worker's event loop, with the asynchronous context, and wait for it."""


class TaskExecutable(Generic[P, R]):
    """A task type: how its work is done, and under which rules.

    Attributes:
        task_type: Stored in documents, so never reused for something else; renamed through `aliases`.
        timeout: Of one attempt, wall clock.
        retry: How often and after which delay an attempt is repeated.
        max_running: How many of this type run at once, over all workers; 0 = no limit. TASKS_TYPE_LIMITS overrides it.
        priority: −10 to 10, higher first.
        rerun_after_loss: False when the work must not run again after its worker was lost: it becomes INTERRUPTED.
        public: Whether REST clients may submit it.
        examples: Parameters for the API's documentation.
    """

    task_type: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    timeout: ClassVar[timedelta] = timedelta(minutes=10)
    retry: ClassVar[RetryPolicy] = RetryPolicy()
    max_running: ClassVar[int] = 0
    priority: ClassVar[int] = 0
    rerun_after_loss: ClassVar[bool] = True
    public: ClassVar[bool] = True
    examples: ClassVar[tuple[dict[str, Any], ...]] = ()

    Parameters: ClassVar[type[TaskModel]]
    Result: ClassVar[type[TaskModel]]
    runs_in_thread: ClassVar[bool]

    @property
    def fans_out(self) -> bool:
        """Whether this is a batch: it makes a result of its children's."""
        return type(self).collect is not TaskExecutable.collect

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            arguments = get_args(base)
            if len(arguments) == 2 and all(isinstance(a, type) and issubclass(a, TaskModel) for a in arguments):
                cls.Parameters, cls.Result = arguments

    async def check(self, parameters: P, user_id: str, services: Services) -> None:
        """Refuse a submission whose objects are missing or belong to somebody else (raise NovelNotFound, SceneNotFound, …)."""

    def resource(self, parameters: P, services: Services) -> str | None:
        """Name the AI profile that this task uses (`writing.ai_resource`), so that it counts against the profile's limit; no other name has one."""
        return None

    def execute(self, parameters: P, ctx: Any) -> Coroutine[Any, Any, R | FanOut] | R | FanOut:
        """Do the work: `async def` with a TaskContext on the loop, or `def` with a ThreadContext in a thread.

        Returns:
            The result; or `await ctx.fan_out(children)` for a batch.

        Raises:
            PermanentFailure: Another attempt cannot help.
            RetryLater: Not now; uses no attempt.
            Exception: Anything else is retried by `retry`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no execute()")

    async def apply(self, task_id: str, user_id: str, parameters: P, result: R, services: Services, *, force: bool) -> Applied:
        """Write a completed task's result into the novel, at its owner's wish, once however often it is called.

        Args:
            force: Override what was changed meanwhile.

        Raises:
            ApplyRefused: This type's results, or this one, cannot be applied.
            SceneChanged, SceneNotFound, NovelNotFound, ChapterNotFound: The target is not what it was.
        """
        raise ApplyRefused("Results of this task type are not applied: they are in the novel already.", code="not_applicable")

    def collect(self, parameters: P, children: Sequence[ChildOutcome]) -> R:
        """Make a batch's result when all children have ended: in a thread, within thirty seconds."""
        raise NotImplementedError(f"{type(self).__name__} fans out and has no collect()")
