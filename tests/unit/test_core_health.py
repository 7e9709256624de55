"""What is called failing, and what is not: from counts alone."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from tasks_app.health import ProviderState, failing_types, provider
from tasks_app.periods import Sums

SOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def sums(completed: int = 0, failed: int = 0, cancelled: int = 0, code: str = "content_filtered") -> Sums:
    return Sums(ended=Counter({"COMPLETED": completed, "FAILED": failed, "CANCELLED": cancelled}), errors=Counter({code: failed} if failed else {}))


def attempts(completed: int, **errors: int) -> Sums:
    return Sums(attempts=Counter({"completed": completed, "failed": sum(errors.values())}), errors=Counter(errors))


def test_a_type_that_fails_more_than_the_day_before_is_failing() -> None:
    [found] = failing_types({"A": sums(40, 60)}, {"A": sums(2_000, 100)})
    assert (found.task_type, found.failed, found.ended, found.code) == ("A", 60, 100, "content_filtered")
    assert found.share == pytest.approx(0.6)
    assert found.before == pytest.approx(40 / 2_000)


@pytest.mark.parametrize(
    ("hour", "day"),
    [
        (sums(1, 4), sums(100, 4)),  # too few
        (sums(1_000, 50), sums(10_000, 60)),  # too small a share
        (sums(50, 50), sums(500, 400)),  # no worse than ever
        (sums(0, 0, cancelled=100), sums(100, 0, cancelled=100)),
        (Sums(), Sums()),
    ],
)
def test_what_is_rare_small_usual_or_cancelled_is_not_failing(hour: Sums, day: Sums) -> None:
    assert failing_types({"A": hour}, {"A": day}) == []


def test_a_new_type_that_fails_is_failing_without_a_day_before() -> None:
    [found] = failing_types({"A": sums(1, 9)}, {"A": sums(1, 9)})
    assert found.before is None


def test_the_worst_comes_first_and_cancellations_do_not_dilute() -> None:
    hour = {"A": sums(50, 50), "B": sums(10, 90, cancelled=900)}
    day = {"A": sums(1_050, 50), "B": sums(1_010, 90, cancelled=900)}
    assert [(found.task_type, found.share) for found in failing_types(hour, day)] == [("B", 0.9), ("A", 0.5)]


def test_a_profile_whose_provider_fails_half_of_the_attempts_is_failing() -> None:
    found = provider("default", attempts(3, provider_unavailable=2, stalled=1), None)
    assert (found.state, found.faults, found.attempts, found.code) == (ProviderState.FAILING, 3, 6, "provider_unavailable")


def test_errors_about_one_tasks_text_are_not_the_providers_fault() -> None:
    assert provider("default", attempts(0, content_filtered=20, context_too_long=5), None).state is ProviderState.OK


def test_two_faults_do_not_make_a_failing_provider() -> None:
    found = provider("default", attempts(0, connection=2), None)
    assert (found.state, found.code) == (ProviderState.OK, "connection")


def test_a_profile_that_tasks_wait_for_is_limited_until_the_first_of_them_tries_again() -> None:
    found = provider("default", attempts(10, rate_limited=30), SOON)
    assert (found.state, found.until, found.code) == (ProviderState.LIMITED, SOON, "rate_limited")


def test_failing_is_worse_than_limited_and_without_attempts_nothing_is_known() -> None:
    assert provider("default", attempts(0, timeout=9), SOON).state is ProviderState.FAILING
    assert provider("default", Sums(), None).state is ProviderState.UNUSED
