"""Measure the system as it ships: `make bench`, or `python -m benchmarks.bench [FIGURE …]`.

Tasks go in through `tasks_app.operations` and are run by `manage.py qcluster` with two worker processes, on the project's own MongoDB in a folder of its
own (on disk), every change of state majority written and journaled. After each run every document is read: one attempt, completed, its times in order, no
lease left. A figure that fails the check is not printed.

`--large` adds the reading of a million documents, which takes minutes to prepare. `--json FILE` writes the figures as JSON lines, too.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.figures import FIGURES, LARGE, ROUNDS
from benchmarks.measured import Measured
from benchmarks.place import Place, prepared


def main() -> None:
    """Measure what was asked for."""
    everything = FIGURES | LARGE
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"any of {', '.join(everything)}; all but the large by default")
    parser.add_argument("--rounds", type=int, help="of each figure; by default three of the short ones and one of the others")
    parser.add_argument("--large", action="store_true", help="with the figures that need a million documents")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write JSON lines here")
    options = parser.parse_args()
    chosen = options.figures or [*FIGURES, *(LARGE if options.large else ())]
    if unknown := set(chosen) - set(everything):
        parser.error(f"unknown figure: {', '.join(sorted(unknown))}")
    with prepared() as place:
        measured = asyncio.run(closing(measure(place, chosen, options.rounds)))
    if options.json:
        tables.write_lines(options.json, measured)
    print(tables.text(tables.OWN_HEADER, tables.own_rows(measured)))


async def measure(place: Place, names: list[str], rounds: int | None) -> list[Measured]:
    """Measure figures one after the other, saying so as they come."""
    found: list[Measured] = []
    for name in names:
        start = time.monotonic()
        figures = await (FIGURES | LARGE)[name](place, rounds or ROUNDS.get(name, 1))
        found += figures
        shown = ", ".join(f"{each.key} {each.shown(each.median)} {each.unit}" for each in figures if each.values)
        print(f"# {name} ({time.monotonic() - start:.0f} s): {shown}", flush=True)
    return found


async def closing(work: Awaitable[Any]) -> Any:
    """Do the work, and close this loop's connections."""
    from ainoval import mongo

    try:
        return await work
    finally:
        await mongo.close()


if __name__ == "__main__":
    main()
