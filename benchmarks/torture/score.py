"""A scenario's line: figures with the bars they must meet, harm with the floor it must reach, and the verdict that follows from both."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Number = float | int

EXAMPLES = 3


@dataclass
class Line:
    """What a scenario shows.

    Attributes:
        reasons: Why it is red, by figure.
        broken: The names of the figures that miss their bar.
    """

    scenario: str
    title: str
    seed: int
    size: str
    figures: Json = field(default_factory=dict)
    harm: Json = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def note(self, name: str, value: Any) -> None:
        """State a figure that has no bar."""
        self.figures[name] = _round(value)

    def at_most(self, name: str, value: Number, bar: Number) -> None:
        """A figure that may not exceed its bar."""
        self.figures[name] = _round(value)
        if value > bar:
            self._red(name, f"{name} is {_round(value)}, at most {bar} allowed")

    def at_least(self, name: str, value: Number, bar: Number) -> None:
        """A figure that must reach its bar."""
        self.figures[name] = _round(value)
        if value < bar:
            self._red(name, f"{name} is {_round(value)}, at least {bar} wanted")

    def none(self, name: str, found: Collection[Any]) -> None:
        """A list that must be empty; the first few of what is in it are shown."""
        self.figures[name] = len(found)
        if found:
            self._red(name, f"{name}: {len(found)}, as {'; '.join(str(each) for each in list(found)[:EXAMPLES])}")

    def did(self, name: str, count: Number, floor: Number = 0) -> None:
        """Harm that was done; below its floor the line proves nothing."""
        self.harm[name] = _round(count)
        if count < floor:
            self._red(name, f"too little harm: {name} is {_round(count)}, at least {floor} wanted")

    def _red(self, name: str, reason: str) -> None:
        self.broken.append(name)
        self.reasons.append(reason)

    @property
    def green(self) -> bool:
        """Whether every figure meets its bar and the harm its floor."""
        return not self.broken

    def shown(self, seconds: float) -> Json:
        """Return the line as it is printed."""
        return {
            "scenario": self.scenario,
            "title": self.title,
            "verdict": "green" if self.green else "red",
            "seed": self.seed,
            "size": self.size,
            "seconds": round(seconds, 1),
            "figures": self.figures,
            "harm": self.harm,
            "reasons": self.reasons,
            "broken": self.broken,
        }


def _round(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
