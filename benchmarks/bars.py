"""What is to be reached: the project's bars and aims, on two cores, as data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measured import Measured

CELERY = "Celery prefork"
HUEY = "huey"

Figures = Mapping[tuple[str, str], Measured]
"""By system and key."""


@dataclass(frozen=True)
class Row:
    """One figure's bar and aim.

    Args:
        relative_to: Bar and aim are multiples of this system's figure `relative_key` in the same run.
        aim_system: The aim is this system's figure in the same run.
        lower: Less is better.
    """

    key: str
    bar: float
    aim: float
    lower: bool = False
    relative_to: str = ""
    relative_key: str = ""
    aim_system: str = ""

    def wanted(self, figures: Figures) -> tuple[float, float]:
        """Return bar and aim as values of this figure; not a number where what they relate to was not measured."""
        bar, aim = self.bar, self.aim
        if self.relative_to:
            unit = _median(figures, self.relative_to, self.relative_key or self.key)
            bar, aim = bar * unit, aim * unit
        if self.aim_system:
            aim = _median(figures, self.aim_system, self.relative_key or self.key)
        return bar, aim

    def reached(self, value: float, wanted: float) -> bool:
        """Whether a value is as good as what is wanted."""
        return value <= wanted if self.lower else value >= wanted

    def verdict(self, measured: Measured, figures: Figures) -> str:
        """Return what was reached: "aim", "bar", "not reached", or "" where that cannot be said."""
        bar, aim = self.wanted(figures)
        if not measured.values or math.isnan(bar):
            return ""
        if not math.isnan(aim) and self.reached(measured.median, aim):
            return "aim"
        return "bar" if self.reached(measured.median, bar) else "not reached"

    def words(self, which: str) -> str:
        """Return the bar or the aim in words, without the run's figures."""
        value = self.bar if which == "bar" else self.aim
        if which == "aim" and self.aim_system:
            return f"ahead of {self.aim_system}"
        return f"{value:g} × {self.relative_to}" if self.relative_to else f"{'≤' if self.lower else '≥'} {value:g}"


def _median(figures: Figures, system: str, key: str) -> float:
    found = figures.get((system, key))
    return found.median if found else math.nan


ROWS = {
    row.key: row
    for row in (
        Row("drain", 4, 6, relative_to=CELERY, aim_system=HUEY),
        Row("io", 1.4, 1.22, lower=True),
        Row("io_memory", 120, 90, lower=True),
        Row("io10k", 3.5, 2, lower=True),
        Row("dispatch_p50", 5, 2.5, lower=True),
        Row("dispatch_p95", 15, 5, lower=True),
        Row("dispatch_accepted_p50", 5, 2.5, lower=True),
        Row("dispatch_accepted_p95", 15, 5, lower=True),
        Row("submit_one", 0.3, 0.5, relative_to=CELERY),
        Row("submit_fifty", 1.0, 1.7, relative_to=CELERY, relative_key="submit_one"),
        Row("submit_many", 10, 20, relative_to=CELERY, relative_key="submit_one"),
        Row("http_1", 150, 300),
        Row("http_2", 250, 500),
        Row("read_list", 50, 20, lower=True),
        Row("read_details", 50, 20, lower=True),
        Row("console_overview", 150, 75, lower=True),
        Row("console_list", 150, 75, lower=True),
        Row("console_filter", 150, 75, lower=True),
        Row("console_task", 150, 75, lower=True),
        Row("cpu", 0.65, 0.4, lower=True),
        Row("drain_limits", 80, 90),
        Row("drain_progress", 80, 90),
        Row("idle", 3, 1, lower=True),
    )
}
