"""What every console page has in common: its permission, its security headers, and an honest page when MongoDB is away."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ainoval import mongo
from ainoval.accounts.models import User
from ainoval.logs import get_logger
from tasks_app.admin import clocks
from tasks_app.admin.actions import Action
from tasks_app.admin.rows import LIST
from tasks_app.bulk_actions import BulkActionNotFound
from tasks_app.errors import TaskNotFound
from tasks_app.models import BackgroundTask

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, P], HttpResponse]

VIEW = "tasks_app.view_backgroundtask"
VIEW_TEXT = "tasks_app.view_text_backgroundtask"

TEMPLATES = "admin/tasks_app/backgroundtask"
RETRY_AFTER_SECONDS = 5
REFRESH_CHOICES = ((0, gettext_lazy("Off")), (2, gettext_lazy("2 s")), (5, gettext_lazy("5 s")), (15, gettext_lazy("15 s")))

# No inline script, no inline style, nothing from elsewhere: text written by users and by an AI is shown on these pages.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "font", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

log = get_logger(__name__)


def console_page(view: Page[P]) -> Page[P]:
    """Guard a console view. `admin_view()` around it asks only for `is_staff`; this asks for the permission to see tasks."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        try:
            response = view(request, *args, **kwargs)
        except (TaskNotFound, BulkActionNotFound):
            response = render(request, "missing.html", {"title": _("No such task")}, status=404)
        except mongo.UNAVAILABLE as exc:
            log.warning("console_without_mongodb", error=type(exc).__name__)
            context = {"title": _("The tasks cannot be reached"), "acting": request.method == "POST", "address": request.get_full_path()}
            response = render(request, "unavailable.html", context, status=503)
            response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return guarded


def allowed(request: HttpRequest, action: Action) -> Action:
    """Return the action, if this user may do it at all.

    Raises:
        PermissionDenied: They may not.
    """
    if not action.allowed(request.user):
        raise PermissionDenied
    return action


def acting_user(request: HttpRequest) -> User:
    """Return who acts: what is done is recorded under their name."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def render(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Return a console page in the admin's frame."""
    frame = admin.site.each_context(request) | {
        "opts": BackgroundTask._meta,
        "list_url": reverse(LIST),
        "refresh_choices": REFRESH_CHOICES,
        "clocks": clocks.for_the_script(),
    }
    return TemplateResponse(request, f"{TEMPLATES}/{template}", frame | context, status=status)


def render_part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Return parts of a page that its script asked for: without the admin's frame."""
    return TemplateResponse(request, f"{TEMPLATES}/{template}", {"list_url": reverse(LIST), "refreshing": True} | context)
