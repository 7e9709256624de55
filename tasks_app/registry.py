"""Where task types are looked up. Every module in `executables/` of an installed app is imported at start; `@register` does the rest."""

import inspect
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured

from tasks_app.errors import UnknownTaskType
from tasks_app.executable import TaskExecutable

AnyExecutable = TaskExecutable[Any, Any]
C = TypeVar("C", bound=type[AnyExecutable])

_by_name: dict[str, AnyExecutable] = {}
_types: dict[str, AnyExecutable] = {}


def register(cls: C) -> C:
    """Register a task type, under its name and its aliases.

    Raises:
        ImproperlyConfigured: The class is incomplete, or a name is taken: two types under one name would run each other's tasks.
    """
    for attribute in ("task_type", "Parameters", "Result"):
        if not hasattr(cls, attribute):
            raise ImproperlyConfigured(f"{cls.__qualname__} lacks {attribute}: derive it from TaskExecutable[Parameters, Result]")
    if cls.task_type != cls.task_type.upper() or not cls.task_type.replace("_", "").isalnum():
        raise ImproperlyConfigured(f"{cls.__qualname__}.task_type must be in UPPER_SNAKE_CASE, not {cls.task_type!r}")
    cls.runs_in_thread = not inspect.iscoroutinefunction(cls.execute)
    executable = cls()
    for name in (cls.task_type, *cls.aliases):
        other = _by_name.get(name)
        if other is not None and type(other).__qualname__ + type(other).__module__ != cls.__qualname__ + cls.__module__:
            raise ImproperlyConfigured(f"task type {name} is registered twice: {type(other).__qualname__} and {cls.__qualname__}")
        _by_name[name] = executable
    _types[cls.task_type] = executable
    return cls


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


def known_types() -> list[str]:
    """Return every stored name that a worker of this code can run, sorted."""
    return sorted(_by_name)


def all_types() -> list[AnyExecutable]:
    """Return the task types, sorted by name."""
    return [_types[name] for name in sorted(_types)]


def run_once_types() -> list[str]:
    """Return the names of types that must not run again after a lost worker."""
    return sorted(name for name, executable in _by_name.items() if not executable.rerun_after_loss)


def unregister(task_type: str) -> None:
    """Forget a type (tests register their own)."""
    for name in [n for n, e in _by_name.items() if e.task_type == task_type]:
        del _by_name[name]
    _types.pop(task_type, None)
