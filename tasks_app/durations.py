"""Durations counted in log-spaced bins, from which quantiles are estimated: a few small numbers, whatever was counted, and two of them add up.

Four bins to each doubling, from a millisecond to twelve days: an estimate is off by less than a fifth, and by a twentieth as a rule.
"""

import math
from collections.abc import Mapping
from typing import Final

SHORTEST_SECONDS: Final = 0.001
BINS_PER_DOUBLING: Final = 4
LAST_BIN: Final = 120

_PER_SHORTEST: Final = 1.0 / SHORTEST_SECONDS


def bin_of(seconds: float) -> int:
    """Return the number of the bin that a duration falls into: 0 for a millisecond or less, LAST_BIN for 12 days or more."""
    if seconds <= SHORTEST_SECONDS:
        return 0
    return min(int(math.log2(seconds * _PER_SHORTEST) * BINS_PER_DOUBLING) + 1, LAST_BIN)


def upper_edge(number: int) -> float:
    """Return the longest duration of a bin, in seconds."""
    return float(SHORTEST_SECONDS * 2.0 ** (number / BINS_PER_DOUBLING))


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """Estimate a quantile in seconds; None when nothing was counted.

    Args:
        counts: How many durations are in each bin.
        q: From 0 to 1: 0.5 for the median.
    """
    total = sum(counts.values())
    if not total:
        return None
    rank = q * total
    below = 0
    for number in sorted(counts):
        if below + counts[number] >= rank:
            # Within a bin durations are taken to be spread evenly, on the logarithmic scale of the bins.
            inside = (rank - below) / counts[number]
            return upper_edge(number) if number == 0 else upper_edge(number - 1) * (upper_edge(number) / upper_edge(number - 1)) ** inside
        below += counts[number]
    return upper_edge(max(counts))
