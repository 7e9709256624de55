"""Scenarios of the reliability scorecard in their smallest size; `make torture` runs all of them in full."""

import json
import subprocess
import sys

import pytest

from benchmarks.torture.__main__ import as_expected, played
from tests.support.cluster import PROJECT_ROOT

pytestmark = pytest.mark.timeout(180)

SEED = 1


def test_a_scenario_of_the_scorecard_is_green_in_its_smallest_size() -> None:
    line = played("S8", SEED, "test", control=False)
    assert line["verdict"] == "green", line["reasons"]
    assert line["harm"], "a green line without harm is a lie"


def test_a_scenario_is_red_for_the_expected_reason_when_its_safeguard_is_broken() -> None:
    line = played("S7", SEED, "test", control=True)
    assert as_expected(line), line


def test_the_scorecard_prints_a_line_of_json_then_a_table_and_succeeds_when_all_are_green() -> None:
    command = [sys.executable, "-m", "benchmarks.torture", "S7", "--size", "test", "--seed", str(SEED)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=120)
    line = json.loads(done.stdout.splitlines()[0])
    assert (line["scenario"], line["seed"], line["verdict"]) == ("S7", SEED, "green")
    assert "1 of 1 green" in done.stdout
    assert done.returncode == 0
