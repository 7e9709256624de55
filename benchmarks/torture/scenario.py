"""What a scenario is: how it is called, how large it is, what it does, and which broken safeguard must turn it red."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.torture.ground import Ground
from benchmarks.torture.score import Line

SIZES = ("test", "quick", "full", "nightly")
SLACK_SECONDS = {"test": 3.0, "quick": 3.0}


@dataclass(frozen=True, slots=True)
class Control:
    """The same scenario with one safeguard broken.

    Attributes:
        safeguard: A name in `controls.breaks`.
        shows: Figures of which at least one must be what turns the line red; any other red is for the wrong reason.
    """

    safeguard: str
    shows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Play:
    """What a scenario is given: its ground, its size, its seeded chance, and the line it fills.

    Attributes:
        slack: Seconds by which a bar of time is wider in the small sizes, which run on machines that have other things to do.
    """

    ground: Ground
    size: Any
    rng: random.Random
    line: Line
    slack: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the scorecard.

    Attributes:
        sizes: One for each of SIZES, in whatever form `play` understands.
        apps: Put between the project and its world in all processes (see `settings`).
    """

    name: str
    title: str
    sizes: Mapping[str, Any]
    play: Callable[[Play], Awaitable[None]]
    control: Control
    apps: tuple[str, ...] = ()
