"""System checks: settings that contradict the task types, and task types that are none yet, found at start and not in the night."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from tasks_app import registry

TAG = "ainoval"
"""What our own checks are called together: those that a worker cluster needs at its start."""


@register(TAG)
def type_limits_name_known_types(**_: Any) -> list[CheckMessage]:
    """TASKS_TYPE_LIMITS may only name types that exist."""
    unknown = sorted(set(settings.AINOVAL.tasks_type_limits) - set(registry.known_types()))
    if not unknown:
        return []
    return [
        Error(
            f"TASKS_TYPE_LIMITS names unknown task types: {', '.join(unknown)}",
            hint=f"Known: {', '.join(registry.known_types())}",
            id="tasks_app.E001",
        )
    ]


@register(TAG)
def time_outs_are_in_seconds(**_: Any) -> list[CheckMessage]:
    """A type's time-out below one second is a mistake in units."""
    return [
        Warning(
            f"{e.task_type} has a time-out of {e.timeout.total_seconds()} s",
            hint="timeout is a timedelta",
            id="tasks_app.W001",
        )
        for e in registry.all_types()
        if e.timeout.total_seconds() < 1
    ]


@register(TAG)
def task_types_are_registered(**_: Any) -> list[CheckMessage]:
    """A class that names a task type is meant to be one."""
    return [
        Warning(f"{path} names a task type and is not registered", hint="put @register (of tasks_app.registry) above the class", id="tasks_app.W002")
        for path in registry.unregistered()
    ]
