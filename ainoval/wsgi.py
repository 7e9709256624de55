"""The WSGI application, for servers of that kind."""

import os

from django.core.wsgi import get_wsgi_application

from ainoval.start import SERVER_FAILED, one_line_if_refused, refuse_wrong_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainoval.settings")

with one_line_if_refused(SERVER_FAILED):
    application = get_wsgi_application()
    refuse_wrong_settings()
