"""Durations in bins: what is counted can be estimated back."""

import random

import pytest

from tasks_app.durations import LAST_BIN, SHORTEST_SECONDS, bin_of, quantile, upper_edge


def counted(durations: list[float]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for seconds in durations:
        counts[bin_of(seconds)] = counts.get(bin_of(seconds), 0) + 1
    return counts


@pytest.mark.parametrize("seconds", [-5.0, 0.0, 0.0005, SHORTEST_SECONDS])
def test_a_millisecond_or_less_is_in_the_first_bin(seconds: float) -> None:
    assert bin_of(seconds) == 0


def test_every_duration_is_at_most_its_bins_edge_and_above_the_one_before() -> None:
    for exponent in range(-28, 60):
        seconds = 1.5**exponent
        if SHORTEST_SECONDS < seconds < upper_edge(LAST_BIN):
            number = bin_of(seconds)
            assert upper_edge(number - 1) <= seconds <= upper_edge(number), seconds


def test_what_is_longer_than_the_last_bin_is_counted_in_it() -> None:
    assert bin_of(10.0**9) == LAST_BIN
    assert upper_edge(LAST_BIN) > 12 * 86_400


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_estimates_are_within_a_tenth_of_what_was_measured(q: float) -> None:
    rng = random.Random(20)
    for median in (0.02, 1.0, 40.0, 7_200.0):
        durations = sorted(rng.lognormvariate(0.0, 1.0) * median for _ in range(5_000))
        estimate = quantile(counted(durations), q)
        assert estimate == pytest.approx(durations[int(q * len(durations))], rel=0.1)


def test_one_duration_is_estimated_within_its_bin() -> None:
    estimate = quantile(counted([3.0]), 0.5)
    assert estimate == pytest.approx(3.0, rel=0.19)
