"""What a worker keeps in memory: not what only the server needs."""

import os
import subprocess
import sys

SERVED = ("ainoval.urls", "rest_framework.serializers", "tasks_app.admin.site", "tasks_app.api.views")


def imported_after(*modules: str) -> list[str]:
    code = f"import django; django.setup()\nimport sys, {', '.join(modules)}\nprint(*[name for name in {SERVED} if name in sys.modules])"
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "ainoval.settings"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120).stdout.split()


def test_a_worker_imports_neither_the_api_nor_the_console() -> None:
    assert imported_after("tasks_app.worker.cluster") == []


def test_a_server_imports_both() -> None:
    assert imported_after("ainoval.urls") == list(SERVED)
