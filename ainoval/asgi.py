"""The ASGI application: `uvicorn ainoval.asgi:application`."""

import os

import django
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainoval.settings")

django.setup(set_prefix=False)

from ainoval.api.guard import RequestGuard  # noqa: E402 - they need the apps that Django has just loaded
from ainoval.api.handler import ThreadedHandler  # noqa: E402
from ainoval.collection import freeze_what_is_loaded  # noqa: E402

application = RequestGuard(ThreadedHandler())  # type: ignore[arg-type]  # the same protocol in other words

get_resolver().url_patterns  # noqa: B018 - imports all views, which would otherwise wait for the first request
freeze_what_is_loaded()
