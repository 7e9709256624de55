"""The ASGI application: `uvicorn ainoval.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainoval.settings")

_django = get_asgi_application()

from ainoval.api.guard import RequestGuard  # noqa: E402 - it needs the apps that Django has just loaded

application = RequestGuard(_django)  # type: ignore[arg-type]  # the same protocol in other words
