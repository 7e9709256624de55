"""Charts as numbers: axes that people can read, and paths that stand where their values are."""

import re

import pytest

from tasks_app.admin.overview.geometry import Axis, band, bars, count_axis, duration_axis, line


def numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?[\d.]+", path)]


@pytest.mark.parametrize(("largest", "top"), [(0, 2), (1, 2), (2, 2), (3, 4), (7, 8), (11, 12), (95, 100), (101, 120), (1_204, 1_600), (999_999, 1_000_000)])
def test_counts_stand_under_a_round_top_with_a_round_half(largest: int, top: int) -> None:
    axis = count_axis(largest)
    assert axis.marks == (top, top / 2, 0)
    assert axis.top >= largest and axis.marks[1] == int(axis.marks[1])


@pytest.mark.parametrize(("largest", "half"), [(0.004, 0.01), (1.5, 1), (3, 2), (50, 30), (200, 120), (4_000, 3_600), (100_000, 86_400)])
def test_durations_stand_under_a_top_whose_half_people_count_in(largest: float, half: float) -> None:
    axis = duration_axis(largest)
    assert axis.marks[1] == half
    assert axis.top >= largest


def test_a_duration_beyond_all_steps_still_fits() -> None:
    assert duration_axis(1e9).top == 1e9


def test_bars_stand_on_those_below_them_and_leave_out_nothing_but_zeros() -> None:
    path = bars([2, 0, 1], [1, 5, 0], Axis(4))
    first, second = path.split("z")[:2]
    x, bottom, width, top, back = numbers(first)
    assert (bottom, top, back) == (75, 25, -width)
    assert 0 < x < width < 100 / 3
    assert numbers(second)[0] > 2 * 100 / 3
    assert path.count("z") == 2


def test_a_line_goes_through_the_middles_and_breaks_where_nothing_is_known() -> None:
    path = line([0.0, 2.0, None, 4.0, 4.0], Axis(4))
    assert path == "M10 100L30 50M70 0L90 0"


def test_a_value_that_stands_alone_is_a_dash_as_wide_as_its_place() -> None:
    assert line([None, 1.0, None, None], Axis(2)) == "M25 50h25"
    assert line([None, None], Axis(2)) == ""


def test_a_band_goes_along_the_upper_line_and_back_along_the_lower() -> None:
    assert band([1.0, 1.0], [2.0, 2.0], Axis(2)) == "M25 0L75 0L75 50L25 50z"


def test_what_is_higher_than_the_axis_is_cut_at_its_top() -> None:
    assert Axis(2).height(5) == 100
