"""The project's settings with the benchmarks' task types."""

from ainoval.settings import *  # noqa: F403
from ainoval.settings import INSTALLED_APPS

INSTALLED_APPS = ["benchmarks.tasks", *INSTALLED_APPS]
