"""What pages for people have beside the API: their reader's language."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from ainoval.api.problem import is_api


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
