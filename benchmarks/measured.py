"""What a measurement yields: a named figure with one value a round."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """One figure of one system.

    Args:
        key: Its name in `bars.ROWS`.
        title: What it is, for people.
        unit: Of the values, as in "tasks/s".
        values: One a round.
        system: Whose figure it is.
        missing: Why there is none, instead of values.
        digits: After the point, when printed.
    """

    key: str
    title: str
    unit: str
    values: tuple[float, ...]
    system: str = "ours"
    missing: str = ""
    digits: int = 1

    @property
    def median(self) -> float:
        """The median of the rounds; not a number where there is none."""
        return statistics.median(self.values) if self.values else math.nan

    def shown(self, value: float) -> str:
        """Return a value of this figure as it is printed."""
        return f"{value:,.{self.digits}f}"

    @property
    def spread(self) -> str:
        """Min to max, where there was more than one round."""
        return f"{self.shown(min(self.values))} to {self.shown(max(self.values))}" if len(self.values) > 1 else ""

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object, with its median."""
        return asdict(self) | ({"median": self.median} if self.values else {})


def merged(all_rounds: Sequence[Measured]) -> list[Measured]:
    """Put the rounds of the same figure of the same system together, in the order in which the figures came first."""
    found: dict[tuple[str, str], Measured] = {}
    for each in all_rounds:
        known = found.get((each.system, each.key))
        values = (known.values if known else ()) + each.values
        found[each.system, each.key] = Measured(each.key, each.title, each.unit, values, each.system, "" if values else each.missing, each.digits)
    return list(found.values())


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of them lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
