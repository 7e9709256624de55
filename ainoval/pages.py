"""What pages for people have beside the API: their reader's language, and an honest page when Django's own database does not answer."""

from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.template.loader import render_to_string
from django.utils import translation

from ainoval.api.problem import RETRY_AFTER_OUTAGE, is_api
from ainoval.logs import get_logger

log = get_logger(__name__)


class PageLanguageMiddleware(LocaleMiddleware):
    """Show pages in the reader's language; programs are answered in English, whatever they accept."""

    def process_request(self, request: HttpRequest) -> None:
        """Choose the language of this request."""
        if is_api(request.path):
            translation.activate(settings.LANGUAGE_CODE)  # the request before, in this thread, may have had another
        else:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Say which language a page has."""
        return response if is_api(request.path) else super().process_response(request, response)


class DatabaseOutageMiddleware:
    """Answer 503 with a page when Django's own database is locked for too long, or away; the API's views have a problem document for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the page, if this is such an exception of a view."""
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        log.warning("database_unavailable", error=str(exception))
        # Without the request: who asks, and with what rights, is in the database that does not answer.
        page = render_to_string("database_unavailable.html", {"acting": request.method == "POST", "address": request.get_full_path()})
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_OUTAGE)})
