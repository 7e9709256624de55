"""The app: at start, task types are discovered and the settings that depend on each other are checked."""

import pkgutil
from importlib import import_module

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule
from django.utils.translation import gettext_lazy as _

EXECUTABLES = "executables"


class TasksAppConfig(AppConfig):
    """Background tasks."""

    name = "tasks_app"
    verbose_name = _("Background tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import the task types of all installed apps, and our checks."""
        from tasks_app import checks  # noqa: F401

        discover()


def discover() -> None:
    """Import `executables` of every installed app: a module, or a package with each module in it."""
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, EXECUTABLES):
            package = import_module(f"{app.name}.{EXECUTABLES}")
            for module in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
                import_module(module.name)
