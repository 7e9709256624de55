"""The nine scenarios, one module each."""

from benchmarks.torture.scenario import Scenario
from benchmarks.torture.scenarios.s1_kill_storm import S1

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (S1,)}
