"""The scorecard: `make torture`, or `python -m benchmarks.torture [S1 S4 …] [--seed N] [--size quick|full|nightly] [--control]`.

Each scenario runs in a process of its own, on a MongoDB of its own, one after the other, and prints one JSON line. A table follows. The exit code is 0 when
all are green; with `--control`, where each runs with a safeguard broken, when all are red for the expected reason.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.torture import ground
from benchmarks.torture.scenario import SIZES
from benchmarks.torture.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]

# Past this a scenario hangs, which is as red as it gets.
PATIENCE_SECONDS = {"test": 120, "quick": 180, "full": 420, "nightly": 7_200}


def played(name: str, seed: int, size: str, *, control: bool) -> Json:
    """Play one scenario in a process of its own; return its line."""
    command = [sys.executable, "-m", "benchmarks.torture.play", name, "--seed", str(seed), "--size", size, *(["--control"] if control else [])]
    began = time.monotonic()
    mark = uuid.uuid4().hex
    environment = os.environ | {ground.MARK: mark}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=PATIENCE_SECONDS[size])
        line: Json = json.loads(output.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, ValueError) as exc:
        why = "it hangs" if isinstance(exc, subprocess.TimeoutExpired) else f"no line, exit code {process.returncode}"
        line = {"scenario": name, "title": SCENARIOS[name].title, "verdict": "red", "seed": seed, "size": size, "figures": {}, "harm": {}, "reasons": [why]}
        line |= {"seconds": round(time.monotonic() - began, 1), "broken": ["ended_early"]}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        ground.clear_up(mark)
    return line


def as_expected(line: Json) -> bool:
    """Whether a control is red for a reason that its broken safeguard explains."""
    return line["verdict"] == "red" and bool(set(line["broken"]) & set(SCENARIOS[line["scenario"]].control.shows))


def table(lines: list[Json], *, control: bool) -> str:
    """Return the lines as a table for people."""
    rows = []
    for line in lines:
        harm = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in line["harm"].items() if value)
        said = "; ".join(line["reasons"]) or ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in line["figures"].items())
        verdict = line["verdict"]
        if control:
            verdict += f" ({SCENARIOS[line['scenario']].control.safeguard} broken)" if as_expected(line) else " (NOT AS EXPECTED)"
        rows.append(f"{line['scenario']}  {verdict}  {line['seconds']:.0f} s\n    shows: {said}\n    harm:  {harm}")
    return "\n".join(rows)


def main() -> int:
    """Play what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="S1", help=f"any of {', '.join(SCENARIOS)}; all by default")
    parser.add_argument("--seed", type=int, help="repeats a run's choices (not its timing); by default another each time")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--control", action="store_true", help="break the safeguard of each scenario: all must be red")
    options = parser.parse_args()
    chosen = options.scenarios or list(SCENARIOS)
    if unknown := set(chosen) - set(SCENARIOS):
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}")
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a scenario that is under way is ended and cleared up
    lines = []
    for name in chosen:
        lines.append(played(name, seed, options.size, control=options.control))
        print(json.dumps(lines[-1]), flush=True)
    print(f"\n{table(lines, control=options.control)}")
    good = [line for line in lines if (as_expected(line) if options.control else line["verdict"] == "green")]
    total = sum(line["seconds"] for line in lines)
    print(f"\n{len(good)} of {len(lines)} {'red as expected' if options.control else 'green'}, {total:.0f} s, seed {seed}, size {options.size}")
    return 0 if len(good) == len(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
