"""How much of everything there is, and when it happened."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

# With 200 users and a million tasks the first has 20,000 of them: that is the list which `benchmarks/figures/reads.py` reads, too.
ZIPF_EXPONENT: Final = 0.34
HISTORY: Final = timedelta(days=29)  # a day short of the default retention
MAX_QUEUED: Final = 20_000
FAILING_FOR: Final = timedelta(minutes=50)

# Of a hundred tasks so many ended in the last day, in the six days before, and earlier.
_AGES: Final = ((20, timedelta(0), timedelta(days=1)), (40, timedelta(days=1), timedelta(days=7)), (40, timedelta(days=7), HISTORY))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seeded database holds.

    Attributes:
        tasks: All in all, those of batches included.
        seed: Of the random numbers: the same plan at the same moment makes the same database.
        now: The moment up to which everything happened.
    """

    tasks: int
    users: int
    seed: int
    now: datetime
    exponent: float = ZIPF_EXPONENT

    @property
    def parents(self) -> int:
        """Batches: 5,000 of a million."""
        return max(self.tasks // 200, 4)

    @property
    def unfinished_parents(self) -> int:
        """Batches whose tasks have not all ended."""
        return max(self.parents // 100, 2)

    @property
    def queued(self) -> int:
        """Single tasks that wait for a worker."""
        return min(max(self.tasks // 50, 20), MAX_QUEUED)

    @property
    def retrying(self) -> int:
        """Single tasks that wait for their next attempt."""
        return max(self.tasks // 2_000, 6)

    @property
    def running(self) -> int:
        """Single tasks that a worker holds, beside those of the user at the limit."""
        return min(max(self.tasks // 1_000, 12), 120)

    @property
    def cancelling(self) -> int:
        """Single tasks that are being stopped."""
        return min(max(self.tasks // 20_000, 3), 12)

    def shares(self) -> list[float]:
        """Return the users' shares of the tasks, cumulated: the n-th has 1/n^exponent of the first's."""
        return list(accumulate(1.0 / rank**self.exponent for rank in range(1, self.users + 1)))

    def moments(self, rng: random.Random, count: int) -> Sequence[datetime]:
        """Return when so many tasks ended, the oldest first: more of them by day than by night, and more of late."""
        weights = [weight for weight, _, _ in _AGES]
        moments: list[datetime] = []
        while len(moments) < count:
            [(_, youngest, oldest)] = rng.choices(_AGES, weights)
            moment = self.now - youngest - (oldest - youngest) * rng.random()
            if rng.random() < load(moment):
                moments.append(moment)
        return sorted(moments)


def load(moment: datetime) -> float:
    """Return how busy the system is at a time of day, from 0 to 1: least at four in the morning."""
    hours = moment.hour + moment.minute / 60
    return 0.6 - 0.4 * math.cos((hours - 4) / 12 * math.pi)
