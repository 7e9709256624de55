"""Break safeguards of this process when Django starts: for the red controls, which show that the scorecard sees what it claims to see."""

import os

from django.apps import AppConfig


class ControlsConfig(AppConfig):
    """`TORTURE_BREAK` names the safeguards, separated by commas."""

    name = "benchmarks.torture.controls"
    label = "torture_controls"

    def ready(self) -> None:
        """From here on they are missing."""
        from benchmarks.torture.controls.breaks import BREAKS

        for name in os.environ["TORTURE_BREAK"].split(","):
            BREAKS[name]()
