"""The tests' environment, set before Django reads its settings: nothing of the developer's own shell or data folder takes part.

Loaded by `-p tests.support.environment` (pyproject.toml): pytest-django reads the settings before any conftest is imported.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

OURS = ("TASKS_", "AINOVAL_", "AI_", "OPENAI_", "DJANGO_SECRET", "DJANGO_DEBUG", "DJANGO_ALLOWED", "JWT_", "MONGODB_", "DATABASE_URL")


def clean_environment() -> dict[str, str]:
    """Return the environment without any setting of this project."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


for name in set(os.environ) - set(clean_environment()):
    del os.environ[name]

# In memory where there is such a place: a test server loses nothing that matters, and majority writes are half again as fast.
_memory = Path("/dev/shm")
DATA_DIR = Path(tempfile.mkdtemp(prefix="ainoval-tests-", dir=_memory if os.access(_memory, os.W_OK) else None))
_owner = os.getpid()


def _remove() -> None:
    if os.getpid() == _owner:
        shutil.rmtree(DATA_DIR, ignore_errors=True)


# Registered first, so it runs last: after the embedded server that lives in this folder has been stopped.
atexit.register(_remove)

os.environ |= {
    "AINOVAL_DATA_DIR": str(DATA_DIR),
    "DJANGO_SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 3,
    "AINOVAL_LOG_LEVEL": "WARNING",
    "DJANGO_SETTINGS_MODULE": "ainoval.settings",
}
