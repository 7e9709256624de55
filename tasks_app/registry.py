"""Where task types are looked up. Every module in `executables/` of an installed app is imported at start (`apps`); `@register` does the rest."""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError

from tasks_app.conf import MAX_PRIORITY, MIN_PRIORITY
from tasks_app.errors import PermanentFailure, UnknownTaskType
from tasks_app.executable import TaskExecutable, TaskModel
from tasks_app.retry import RetryPolicy

AnyExecutable = TaskExecutable[Any, Any]
C = TypeVar("C", bound=type[AnyExecutable])

_NAME = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)*")

_by_name: dict[str, AnyExecutable] = {}
_types: dict[str, AnyExecutable] = {}


def register(cls: C) -> C:
    """Register a task type, under its name and its aliases.

    Raises:
        ImproperlyConfigured: The class is incomplete, or a name is taken: two types under one name would run each other's tasks.
    """
    if mistake := _mistake(cls):
        raise ImproperlyConfigured(f"{_path(cls)}{mistake}")
    cls.runs_in_thread = not inspect.iscoroutinefunction(cls.execute)
    executable = cls()
    for name in (cls.task_type, *cls.aliases):
        other = _by_name.get(name)
        if other is not None and _path(type(other)) != _path(cls):
            raise ImproperlyConfigured(f"task type {name} is registered twice: {_path(type(other))} and {_path(cls)}")
        _by_name[name] = executable
    _types[cls.task_type] = executable
    return cls


def _path(cls: type[AnyExecutable]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _mistake(cls: type[AnyExecutable]) -> str | None:
    if not hasattr(cls, "Parameters") or not hasattr(cls, "Result"):
        return ": derive it from TaskExecutable[Parameters, Result], both of them subclasses of TaskModel"
    if not hasattr(cls, "task_type"):
        return " has no task_type"
    return _mistaken_method(cls) or _mistaken_attribute(cls)


def _mistaken_method(cls: type[AnyExecutable]) -> str | None:
    if cls.execute is TaskExecutable.execute:
        return " has no execute()"
    try:
        inspect.signature(cls.execute).bind(None, None, None)
    except TypeError:
        return ".execute() must take self, parameters and ctx"
    for name, is_async in (("check", True), ("apply", True), ("resource", False), ("collect", False)):
        if inspect.iscoroutinefunction(getattr(cls, name)) != is_async:
            return f".{name}() must be `{'async def' if is_async else 'def'}`"
    return None


def _mistaken_attribute(cls: type[AnyExecutable]) -> str | None:
    if not isinstance(cls.aliases, tuple):
        return f".aliases must be a tuple, not {cls.aliases!r}"
    for name in (cls.task_type, *cls.aliases):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return f": names of task types are in UPPER_SNAKE_CASE, not {name!r}"
    if not isinstance(cls.timeout, timedelta) or cls.timeout <= timedelta():
        return f".timeout must be a timedelta above zero, not {cls.timeout!r}"
    if not isinstance(cls.retry, RetryPolicy):
        return f".retry must be a RetryPolicy, not {cls.retry!r}"
    if not isinstance(cls.max_running, int) or cls.max_running < 0:
        return f".max_running must be an integer from 0, not {cls.max_running!r}"
    if cls.priority not in range(MIN_PRIORITY, MAX_PRIORITY + 1):
        return f".priority must be an integer from {MIN_PRIORITY} to {MAX_PRIORITY}, not {cls.priority!r}"
    return None


def get(task_type: str) -> AnyExecutable:
    """Return the executable of a stored type (or of a former name of it).

    Raises:
        UnknownTaskType: No such type here.
    """
    try:
        return _by_name[task_type]
    except KeyError:
        raise UnknownTaskType(f"There is no task type {task_type[:64]!r}.") from None


def resolve(name: str) -> AnyExecutable:
    """Return the executable that a client names: as stored (`GENERATE_SUMMARY`) or in lower kebab case (`generate-summary`)."""
    kebab = name == name.lower() and "_" not in name
    executable = get(name.replace("-", "_").upper() if kebab else name)
    if not executable.public:
        raise UnknownTaskType(f"There is no task type {name[:64]!r}.")
    return executable


def stored_parameters(executable: AnyExecutable, parameters: dict[str, Any]) -> TaskModel:
    """Return parameters that were accepted once, perhaps by an earlier version, as their model of today.

    Raises:
        PermanentFailure: They do not fit it.
    """
    try:
        return executable.Parameters.model_validate(parameters)
    except ValidationError as exc:
        errors = exc.errors(include_input=False, include_context=False, include_url=False)
        message = f"The stored parameters do not fit this version of the task type: {errors[0]['msg']}"
        raise PermanentFailure(message, code="invalid_parameters") from exc


def fans_out(task_type: str) -> bool:
    """Whether a stored type is known here, and a batch."""
    executable = _by_name.get(task_type)
    return executable is not None and executable.fans_out


def present_name(task_type: str) -> str:
    """Return a stored type's name of today: limits count a type together with its former names. One that is not known here keeps its own."""
    executable = _by_name.get(task_type)
    return executable.task_type if executable is not None else task_type


def known_types() -> list[str]:
    """Return every stored name that a worker of this code can run, sorted."""
    return sorted(_by_name)


def all_types() -> list[AnyExecutable]:
    """Return the task types, sorted by name."""
    return [_types[name] for name in sorted(_types)]


def unregistered() -> list[str]:
    """Return the paths of classes that name a task type and are not registered: nothing else would tell who forgot `@register`."""
    known = {type(executable) for executable in _types.values()}
    return sorted(_path(cls) for cls in _descendants(TaskExecutable) if "task_type" in vars(cls) and cls not in known)


def _descendants(cls: type[AnyExecutable]) -> Iterator[type[AnyExecutable]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)


def run_once_types() -> list[str]:
    """Return the names of types that must not run again after a lost worker."""
    return sorted(name for name, executable in _by_name.items() if not executable.rerun_after_loss)


def unregister(task_type: str) -> None:
    """Forget a type (tests register their own)."""
    for name in [n for n, e in _by_name.items() if e.task_type == task_type]:
        del _by_name[name]
    _types.pop(task_type, None)
