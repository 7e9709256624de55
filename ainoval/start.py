"""The start of a process: a setting that is wrong ends it with one line, whoever started it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

SERVER_FAILED = 3  # what uvicorn and gunicorn call a failed start: their parent processes give up then, where another code is started again for ever


@contextmanager
def one_line_if_refused(exit_code: int) -> Iterator[None]:
    """Turn `ImproperlyConfigured` into a line on standard error and the end of the process."""
    try:
        yield
    except ImproperlyConfigured as exc:
        # A wrong setting is the operator's to mend: one line says more than a traceback of ours.
        sys.stderr.write(f"Not started: {exc}\n")
        sys.exit(exit_code)


def refuse_wrong_settings() -> None:
    """Run our own system checks, for servers: Django runs them before commands alone.

    Raises:
        ImproperlyConfigured: What one of them calls an error.
    """
    from django.core.checks import ERROR, run_checks

    from tasks_app.checks import TAG

    if errors := [found for found in run_checks(tags=[TAG]) if found.level >= ERROR]:
        raise ImproperlyConfigured("; ".join(f"{found.msg} ({found.hint})" if found.hint else found.msg for found in errors))
