"""The admin site: Django's own, with the console's overview beside the list of tasks."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import SimpleAdminConfig
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

OF_MODEL = "BackgroundTask"


class ConsoleAdminSite(AdminSite):
    """Django's admin with one more entry in index and sidebar."""

    site_url = None  # there is no site beside the admin that "View site" could lead to

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the apps with their models; before the tasks' list stands their overview, for those who may see it."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            for place, model in enumerate(app["models"]):
                if model["object_name"] == OF_MODEL:
                    overview = {"name": _("Overview"), "object_name": "Overview", "admin_url": reverse("admin:tasks_app_backgroundtask_overview")}
                    app["models"].insert(place, model | overview)
                    break
        return apps


class ConsoleAdminConfig(SimpleAdminConfig):
    """Django's admin app with our site.

    `ainoval.urls` has the pages found, not the start of every process: a worker serves none, and would keep them and the API beneath them in memory.
    """

    default_site = "ainoval.admin_site.ConsoleAdminSite"
