"""Set this process's clock wrong when Django starts: the wall clock, not the monotonic one, as a badly kept machine has it."""

import os
from datetime import UTC, datetime, timedelta

from django.apps import AppConfig


class ClocksConfig(AppConfig):
    """`TORTURE_CLOCK` says by how many seconds it goes wrong."""

    name = "benchmarks.torture.clocks"
    label = "torture_clocks"

    def ready(self) -> None:
        """From here on, every Python call that asks for the time of day gets another one."""
        import time_machine

        time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(os.environ["TORTURE_CLOCK"])), tick=True).start()
