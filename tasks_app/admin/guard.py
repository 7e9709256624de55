"""What every console page has in common: its permission, its security headers, and an honest page when MongoDB is away."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from ainoval import mongo
from ainoval.logs import get_logger
from tasks_app.errors import TaskNotFound
from tasks_app.models import BackgroundTask

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, P], HttpResponse]

VIEW = "tasks_app.view_backgroundtask"
VIEW_TEXT = "tasks_app.view_text_backgroundtask"

TEMPLATES = "admin/tasks_app/backgroundtask"
RETRY_AFTER_SECONDS = 5

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
        except TaskNotFound:
            response = render(request, "missing.html", {"title": _("No such task")}, status=404)
        except mongo.UNAVAILABLE as exc:
            log.warning("console_without_mongodb", error=type(exc).__name__)
            context = {"title": _("The tasks cannot be reached"), "acting": request.method == "POST"}
            response = render(request, "unavailable.html", context, status=503)
            response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return guarded


def render(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Return a console page in the admin's frame."""
    frame = admin.site.each_context(request) | {"opts": BackgroundTask._meta}
    return TemplateResponse(request, f"{TEMPLATES}/{template}", frame | context, status=status)
