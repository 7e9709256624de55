"""The app: at start, task types are discovered and the settings that depend on each other are checked."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class TasksAppConfig(AppConfig):
    """Background tasks."""

    name = "tasks_app"
    verbose_name = _("Background tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every `executables` package of the installed apps, and our checks."""
        from tasks_app import checks  # noqa: F401

        autodiscover_modules("executables")
