"""The tests' own task types, for as long as a test needs them: other tests list the types that exist, and must not see these."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from tasks_app import registry
from tasks_app.executable import TaskExecutable
from tests.support.testtasks import executables


def types_of(module: ModuleType) -> list[type[registry.AnyExecutable]]:
    """Return the task types that a module defines."""
    found = [value for _, value in inspect.getmembers(module, inspect.isclass)]
    return [cls for cls in found if issubclass(cls, TaskExecutable) and cls.__module__ == module.__name__ and "task_type" in vars(cls)]


@contextmanager
def registered(*classes: type[registry.AnyExecutable]) -> Iterator[None]:
    """Register these types, and forget them at the end."""
    for cls in classes:
        registry.register(cls)
    try:
        yield
    finally:
        for cls in classes:
            registry.unregister(cls.task_type)


@contextmanager
def registered_test_types() -> Iterator[None]:
    """Register tests.support.testtasks.executables."""
    with registered(*types_of(executables)):
        yield


def forget_test_types() -> None:
    """Forget them; the import above has registered them, or that of a test which needs one of their names."""
    for cls in types_of(executables):
        registry.unregister(cls.task_type)
