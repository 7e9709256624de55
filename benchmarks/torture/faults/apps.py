"""Put faults between this process and its database when Django starts."""

import os

from django.apps import AppConfig


class FaultsConfig(AppConfig):
    """`TORTURE_FAULTS` is the file in which every fault is noted."""

    name = "benchmarks.torture.faults"
    label = "torture_faults"

    def ready(self) -> None:
        """From here on, `mongo.database()` fails now and then."""
        from ainoval import mongo
        from benchmarks.torture.faults.injection import Dice, Faulty

        real, dice = mongo.database, Dice(os.environ["TORTURE_FAULTS"])
        mongo.database = lambda: Faulty(real(), dice)  # type: ignore[assignment, return-value]
