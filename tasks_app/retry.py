"""How often and after which delay an attempt is repeated: pure values."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter.

    Args:
        max_attempts: Attempts in all, the first included.
        first_delay: The upper bound of the first delay; it doubles with each attempt.
        max_delay: The bound never grows past this.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("full jitter": uniform between zero and the bound, which spreads
    a crowd of clients that failed together better than any narrower band).
    """

    max_attempts: int = 5
    first_delay: timedelta = timedelta(seconds=2)
    max_delay: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        if not isinstance(self.first_delay, timedelta) or not isinstance(self.max_delay, timedelta):
            raise TypeError("first_delay and max_delay are timedeltas, not numbers")
        if self.max_attempts < 1:
            raise ValueError("max_attempts must be at least 1")
        if not timedelta(0) <= self.first_delay <= self.max_delay:
            raise ValueError("first_delay must lie between zero and max_delay")

    def bound(self, attempt: int) -> float:
        """Return the longest delay after attempt number `attempt` (from 1), in seconds."""
        # 2**40 seconds is past any max_delay; the cap keeps the float finite for absurd attempt numbers.
        return min(self.first_delay.total_seconds() * 2.0 ** min(attempt - 1, 40), self.max_delay.total_seconds())

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Return the delay after attempt number `attempt`, in seconds."""
        return rng.uniform(0.0, self.bound(attempt))
