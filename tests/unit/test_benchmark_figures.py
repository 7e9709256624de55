"""The parts of the benchmarks that judge and show: they must not call a bar reached that was not."""

import math
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plots, profile, queued, record, seeding, tables
from benchmarks.bars import CELERY, HUEY, ROWS
from benchmarks.growth import Point, draw
from benchmarks.load import _length, request
from benchmarks.measured import Measured, merged, percentile
from benchmarks.peers import page
from benchmarks.peers.catalogue import PEERS

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def figure(key: str, *values: float, system: str = "ours") -> Measured:
    return Measured(key, key, "unit", values, system)


def verdict(key: str, *measured: Measured) -> str:
    return ROWS[key].verdict(measured[0], tables.by_system(measured))


@pytest.mark.parametrize(("seconds", "said"), [(1.2, "aim"), (1.22, "aim"), (1.3, "bar"), (1.4, "bar"), (1.41, "not reached")])
def test_a_time_reaches_its_bar_and_its_aim_when_it_is_as_short(seconds: float, said: str) -> None:
    assert verdict("io", figure("io", seconds)) == said


@pytest.mark.parametrize(("rate", "said"), [(3_000, "not reached"), (4_000, "bar"), (5_000, "aim")])
def test_the_drain_is_judged_by_celery_and_huey_of_the_same_run(rate: float, said: str) -> None:
    assert verdict("drain", figure("drain", rate), figure("drain", 1_000, system=CELERY), figure("drain", 4_500, system=HUEY)) == said


def test_without_celery_in_the_run_nothing_is_said_of_a_bar_that_depends_on_it() -> None:
    assert verdict("drain", figure("drain", 1e9)) == ""


def test_submitting_many_is_judged_by_celerys_one_at_a_time() -> None:
    celery = figure("submit_one", 1_000, system=CELERY)
    assert verdict("submit_many", figure("submit_many", 9_999), celery) == "not reached"
    assert verdict("submit_many", figure("submit_many", 20_000), celery) == "aim"


def test_a_figure_that_is_missing_has_no_verdict_and_says_why() -> None:
    [row] = tables.own_rows([Measured("io", "waits", "s", (), missing="not there yet")])
    assert row[1] == "not there yet"
    assert row[-1] == ""


def test_rounds_of_a_figure_are_put_together_by_system() -> None:
    ours, theirs = merged([figure("io", 1.0), figure("io", 9.0, system="x"), figure("io", 3.0), figure("io", 2.0)])
    assert (ours.values, theirs.values) == ((1.0, 3.0, 2.0), (9.0,))
    assert ours.median == 2.0


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.95, 1.0)] == [50.0, 95.0, 100.0]
    assert percentile([7.0], 0.95) == 7.0


def test_executions_are_recorded_in_the_order_of_their_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record"
    monkeypatch.setenv(record.VARIABLE, str(path))
    monkeypatch.setattr(record, "_file", None)
    record.note(1.0)
    record.note(0.5)
    first, second = record.read(path)
    assert (record.count(path), first.began, second.began) == (2, 1.0, 0.5)
    assert first.ended <= second.ended
    assert record.span(path) == pytest.approx(second.ended - 0.5)


def completed(**changes: Any) -> dict[str, Any]:
    attempt = {"outcome": "completed", "startedAt": NOW, "endedAt": NOW}
    task = {"status": "COMPLETED", "attempt": 1, "attempts": [attempt], "crashCount": 0, "createdAt": NOW, "startedAt": NOW, "completedAt": NOW}
    return task | changes


def test_the_checker_finds_nothing_wrong_with_one_clean_execution() -> None:
    assert queued.what_is_wrong(completed()) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "RUNNING"},
        {"lease": {"token": "left"}},
        {"attempt": 2},
        {"attempts": []},
        {"crashCount": 1},
        {"createdAt": NOW + timedelta(seconds=1)},
        {"completedAt": NOW - timedelta(seconds=1)},
        {"attempts": [{"outcome": "released", "startedAt": NOW, "endedAt": NOW}]},
    ],
)
def test_the_checker_finds_what_is_wrong(changes: dict[str, Any]) -> None:
    assert queued.what_is_wrong(completed(**changes))


def test_seeded_users_have_exactly_the_total_and_the_largest_is_the_largest() -> None:
    counts = seeding.shares(1_000_000, 200, 20_000)
    assert (sum(counts), len(counts), counts[0], max(counts)) == (1_000_000, 200, 20_000, 20_000)
    assert min(counts) > 0


def test_a_chart_is_well_formed_and_shows_every_value() -> None:
    chart = plots.bars("A & B", "tasks < 1 s", ["1", "2"], {"x": [1.0, 2.5], "y": [0.0, 4.0]}, digits=1)
    words = [element.text for element in ET.fromstring(chart).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 - our own
    assert {"A & B", "tasks < 1 s", "1.0", "2.5", "0.0", "4.0"} <= set(words)


def test_growth_is_drawn_from_its_points(tmp_path: Path) -> None:
    keys = ("drain", "cpu_own", "cpu_mongod", "io")
    points = [Point(ended, workers, key, "", 1.0) for ended in (10, 20) for workers in (1, 2) for key in keys]
    points += [Point(ended, 0, key, "", 2.0) for ended in (10, 20) for key in ("dispatch_p50", "dispatch_p95", "submit_one")]
    paths = draw(points, tmp_path)
    assert {path.name for path in paths} >= {"growth-drain.svg", "growth-cpu.svg", "growth-waits.svg", "growth-dispatch.svg"}
    for path in paths:
        ET.parse(path)  # noqa: S314 - our own


def test_comparisons_show_the_best_first_with_ratios_and_what_is_missing() -> None:
    huey_failed = Measured("drain", "drain", "", (), HUEY, missing="it did not start")
    [(_, header, rows)] = page.comparisons([figure("drain", 2_000), figure("drain", 500, system=CELERY), huey_failed])
    assert header[-1] == f"to {CELERY}"
    assert [row[0] for row in rows] == ["**ours**", CELERY, HUEY]
    assert [row[-1] for row in rows] == ["4.00", "1.00", ""]
    assert rows[2][1] == "it did not start"


def test_every_peer_has_an_application_and_its_package_is_pinned() -> None:
    folder = Path(page.__file__).parent
    pinned = (folder / "requirements.txt").read_text() + (folder / "requirements-arq.txt").read_text()
    for peer in PEERS:
        assert (folder / "apps" / f"{peer.module}.py").exists()
        package = peer.module.removesuffix("_app").replace("_", "-")
        assert any(line.startswith(package) and "==" in line for line in pinned.splitlines()), package


def test_a_profile_counts_samples_by_function_and_leaves_out_sleep() -> None:
    own, total = profile.by_function(["a (x.py:1);b (y.py:2) 3", "a (x.py:9) 1", "a (x.py:1);EpollSelector.select (selectors.py:468) 50"])
    assert own == {"b (y.py)": 3, "a (x.py)": 1}
    assert total == {"b (y.py)": 3, "a (x.py)": 4}


def test_requests_and_answers_are_framed_by_their_length() -> None:
    sent = request("POST", "/api/tasks/x", "token", b"{}")
    head, _, body = sent.partition(b"\r\n\r\n")
    assert (_length(head + b"\r\n"), body) == (2, b"{}")


def test_a_bar_is_never_above_its_aim() -> None:
    for row in ROWS.values():
        assert row.reached(row.aim, row.bar) or math.isnan(row.aim), row.key
