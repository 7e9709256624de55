"""The project's settings with the tests' own task types, for clusters that tests start as processes."""

from ainoval.settings import *  # noqa: F403
from ainoval.settings import INSTALLED_APPS

INSTALLED_APPS = ["tests.support.testtasks", *INSTALLED_APPS]
