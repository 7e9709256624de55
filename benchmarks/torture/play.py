"""One scenario, in this process: `python -m benchmarks.torture.play S1 --seed 1 --size quick`. `python -m benchmarks.torture` starts these, one at a time."""

import argparse
import asyncio
import json
import os
import random
import sys
import time
import traceback

from ainoval import mongo
from benchmarks.torture import ground
from benchmarks.torture.scenario import SLACK_SECONDS, Play
from benchmarks.torture.scenarios import SCENARIOS
from benchmarks.torture.score import Line
from benchmarks.torture.work.ledger import make_indexes


def main() -> int:
    """Play, and print the line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--size", required=True)
    parser.add_argument("--control", action="store_true", help="with the scenario's safeguard broken")
    options = parser.parse_args()
    scenario = SCENARIOS[options.scenario]
    if options.control:
        os.environ["TORTURE_BREAK"] = scenario.control.safeguard
    with ground.folder() as place, ground.prepared(place, *scenario.apps, *(["controls"] if options.control else [])):
        make_indexes()
        line = Line(scenario.name, scenario.title, options.seed, options.size)
        given = Play(place, scenario.sizes[options.size], random.Random(options.seed), line, SLACK_SECONDS.get(options.size, 0.0))
        if given.slack:
            line.note("bars_wider_by_seconds", given.slack)

        async def play() -> None:
            try:
                await scenario.play(given)
            finally:
                await mongo.close()

        began = time.monotonic()
        try:
            asyncio.run(play())
        except Exception as exc:
            traceback.print_exc()
            line.none("ended_early", [f"{type(exc).__name__}: {exc}"])
        print(json.dumps(line.shown(time.monotonic() - began)), flush=True)
    return 0 if line.green else 1


if __name__ == "__main__":
    sys.exit(main())
