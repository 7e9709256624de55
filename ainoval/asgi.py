"""The ASGI application: `uvicorn ainoval.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainoval.settings")

application = get_asgi_application()
