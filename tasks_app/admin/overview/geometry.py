"""Charts as plain geometry: numbers in, paths and labels out. The templates draw them as SVG; nothing here knows a colour or a language.

A chart's drawing is stretched to the width that the page has, so its paths are in per cent of it (0 to 100 each way, y downwards) and its words stand
beside it, as text of the page: readable at any width, and in any size that the reader has chosen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 100.0
HEIGHT: Final = 100.0
GAP: Final = 0.12  # of a bar's place

# Durations that people count in, in seconds.
_DURATION_STEPS: Final = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800,
    3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Axis:
    """The y axis: from 0 to `top`, with marks at its half and its top."""

    top: float

    @property
    def marks(self) -> tuple[float, float, float]:
        """The marked values, from the top down."""
        return (self.top, self.top / 2, 0.0)

    def height(self, value: float) -> float:
        """Return how high a value stands, in the drawing's units."""
        return min(value / self.top, 1.0) * HEIGHT


def count_axis(largest: float) -> Axis:
    """Return an axis for counts: its half is a round number, too."""
    half = max(largest / 2, 1.0)
    unit = 10.0 ** math.floor(math.log10(half))
    step = next(step for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * unit >= half)
    return Axis(2 * step * unit)


def duration_axis(largest: float) -> Axis:
    """Return an axis for durations in seconds: its half is one that people count in."""
    return Axis(2 * next((step for step in _DURATION_STEPS if 2 * step >= largest), largest / 2))


def bars(values: Sequence[float], below: Sequence[float], axis: Axis) -> str:
    """Return the path of one layer of stacked bars.

    Args:
        below: For each bar, where it begins: the sum of the layers under it.
    """
    place = WIDTH / len(values)
    width = place * (1 - GAP)
    parts = []
    for number, (value, base) in enumerate(zip(values, below, strict=True)):
        if value:
            bottom, top = axis.height(base), axis.height(base + value)
            parts.append(f"M{_n(number * place + (place - width) / 2)} {_n(HEIGHT - bottom)}h{_n(width)}V{_n(HEIGHT - top)}h{_n(-width)}z")
    return "".join(parts)


def line(values: Sequence[float | None], axis: Axis) -> str:
    """Return the path of a line through the middles of its places; it breaks where nothing is known, and what stands alone is a dash."""
    place = WIDTH / len(values)
    parts = []
    for run in _runs(values):
        first, known = run
        points = [((first + number + 0.5) * place, HEIGHT - axis.height(value)) for number, value in enumerate(known)]
        if len(points) == 1:
            [(x, y)] = points
            parts.append(f"M{_n(x - place / 2)} {_n(y)}h{_n(place)}")
        else:
            parts.append("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points))
    return "".join(parts)


def band(lower: Sequence[float | None], upper: Sequence[float | None], axis: Axis) -> str:
    """Return the path of the area between two lines that are known at the same places."""
    place = WIDTH / len(lower)
    parts = []
    for first, known in _runs(upper):
        if len(known) > 1:
            there = [((first + number + 0.5) * place, HEIGHT - axis.height(value)) for number, value in enumerate(known)]
            back = [((first + number + 0.5) * place, HEIGHT - axis.height(lower[first + number] or 0.0)) for number in range(len(known))]
            parts.append("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in [*there, *reversed(back)]) + "z")
    return "".join(parts)


def _runs(values: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    """Return the stretches of known values: where each begins, and what they are."""
    runs: list[tuple[int, list[float]]] = []
    known: list[float] = []
    for number, value in enumerate([*values, None]):
        if value is not None:
            known.append(value)
        elif known:
            runs.append((number - len(known), known))
            known = []
    return runs


def _n(value: float) -> str:
    """Return a number as a path has it: two places after the point are finer than any screen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
