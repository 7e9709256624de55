"""The ASGI application: `uvicorn ainoval.asgi:application`."""

import os

import django
from django.urls import get_resolver

from ainoval.collection import freeze_what_is_loaded
from ainoval.start import SERVER_FAILED, one_line_if_refused, refuse_wrong_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainoval.settings")

with one_line_if_refused(SERVER_FAILED):
    django.setup(set_prefix=False)
    refuse_wrong_settings()

    # They need the apps that Django has just loaded.
    from ainoval.api.guard import RequestGuard
    from ainoval.api.handler import ThreadedHandler

    application = RequestGuard(ThreadedHandler())  # type: ignore[arg-type]  # the same protocol in other words

    get_resolver().url_patterns  # noqa: B018 - imports all views, which would otherwise wait for the first request

freeze_what_is_loaded()
