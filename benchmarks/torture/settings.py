"""The project's settings with the scenarios' task types, and with what a scenario puts between the project and its world.

`TORTURE_APPS` names packages of `benchmarks.torture`, in order: each one's app changes something in the process when Django starts (`faults` makes calls to
the database fail, `clocks` sets the clock wrong, `controls` breaks a safeguard). The project itself knows nothing of them.
"""

import os

from ainoval.settings import *  # noqa: F403
from ainoval.settings import INSTALLED_APPS

INSTALLED_APPS = [
    "benchmarks.torture.work",
    *INSTALLED_APPS,
    *(f"benchmarks.torture.{name}" for name in os.environ.get("TORTURE_APPS", "").split(",") if name),
]
