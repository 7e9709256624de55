"""Where the console hangs in the admin: its addresses, its sidebar entry, its permissions."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path

from tasks_app.admin import action_pages, bulk_pages, edit_page, list_page, task_page
from tasks_app.admin.guard import VIEW
from tasks_app.admin.overview.page import overview_page
from tasks_app.models import BackgroundTask

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[BackgroundTask]
else:
    _Base = admin.ModelAdmin


@admin.register(BackgroundTask)
class BackgroundTaskAdmin(_Base):
    """The hook that the admin site asks for. Nothing else of ModelAdmin is used: the pages are views of our own over MongoDB."""

    def get_urls(self) -> list[URLPattern]:
        """Return the console's addresses, under the names by which the admin links to a model."""
        names = "tasks_app_backgroundtask"
        view = self.admin_site.admin_view
        return [
            path("", view(list_page.list_page), name=f"{names}_changelist"),
            path("overview/", view(overview_page), name=f"{names}_overview"),
            path("selected/", view(action_pages.act_on_selected), name=f"{names}_selected"),
            path("bulk/", view(bulk_pages.bulk_list), name=f"{names}_bulk_list"),
            path("bulk/<str:action_id>/", view(bulk_pages.bulk_page), name=f"{names}_bulk"),
            path("bulk/<str:action_id>/stop/", view(bulk_pages.bulk_stop), name=f"{names}_bulk_stop"),
            path("<str:task_id>/", view(task_page.task_page), name=f"{names}_change"),
            path("<str:task_id>/edit/", view(edit_page.edit_page), name=f"{names}_edit"),
            path("<str:task_id>/<str:action>/", view(action_pages.act_on_one), name=f"{names}_act"),
        ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the sidebar shows the console."""
        return request.user.has_perm(VIEW)

    def has_view_permission(self, request: HttpRequest, obj: BackgroundTask | None = None) -> bool:
        """Whether list and task pages may be seen."""
        return request.user.has_perm(VIEW)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tasks are submitted by writers, through the API."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: BackgroundTask | None = None) -> bool:
        """Tasks are not edited: there are named actions, each with a permission of its own."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: BackgroundTask | None = None) -> bool:
        """Deleting is one of the named actions."""
        return False
