"""The nine scenarios, one module each."""

from benchmarks.torture.scenario import Scenario
from benchmarks.torture.scenarios.s1_kill_storm import S1
from benchmarks.torture.scenarios.s2_outages import S2
from benchmarks.torture.scenarios.s3_zombies import S3
from benchmarks.torture.scenarios.s4_faults import S4
from benchmarks.torture.scenarios.s5_claimers import S5
from benchmarks.torture.scenarios.s6_families import S6
from benchmarks.torture.scenarios.s7_sequences import S7
from benchmarks.torture.scenarios.s8_sigterm import S8
from benchmarks.torture.scenarios.s9_limits import S9

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (S1, S2, S3, S4, S5, S6, S7, S8, S9)}
