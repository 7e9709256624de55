"""Ours and theirs side by side, in one run on the same cores: `make bench-peers`, or `python -m benchmarks.peers.compare`.

In each round every system is measured in turn, figure by figure, so that a machine that is slow for a while is slow for all of them. For all of them
alike: the tasks are queued first, then the workers start; what counts are the tasks' own records from the first start to the last end. Ours is held to
more: its clock stops when the last ending is stored, majority written and journaled, and every document is read before a figure counts.

The whole run writes docs/benchmarks.md; a narrowed one (`--figures`, `--peers`) prints only, unless `--page` names a file.
"""

import argparse
import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import tables
from benchmarks.bench import closing
from benchmarks.figures import dispatch, drain, floor, http, idle, many_waits, reads, submission, waits
from benchmarks.measured import Measured, merged
from benchmarks.peers import page, runs, servers
from benchmarks.peers.catalogue import PEERS, Peer
from benchmarks.place import ROOT, STOPPED, Place, prepared

PAGE = ROOT / "docs" / "benchmarks.md"

Ours = Callable[[Place, int], Awaitable[list[Measured]]]
Theirs = Callable[[runs.Stage], Awaitable[list[Measured]]]

# By the names of `--figures`: ours, theirs, and which peers take part.
FIGURES: dict[str, tuple[Ours, Theirs | None, Callable[[Peer], bool]]] = {
    "floor": (floor.measure, None, lambda peer: False),
    "drain": (drain.measure, runs.measure_drain, lambda peer: True),
    "io": (waits.measure, runs.measure_waits, lambda peer: peer.waits is not None),
    "io10k": (many_waits.measure, runs.measure_many_waits, lambda peer: peer.many_waits is not None),
    "dispatch": (dispatch.measure, runs.measure_dispatch, lambda peer: True),
    "submit": (submission.measure, runs.measure_submission, lambda peer: peer.submits),
    "http": (http.measure, None, lambda peer: False),
}
# Once, in the first round: they vary little and take long.
ONCE: dict[str, tuple[Ours | None, Theirs | None, Callable[[Peer], bool]]] = {
    "memory": (None, runs.measure_memory, lambda peer: peer.waits is not None),
    "idle": (idle.measure, runs.measure_idle, lambda peer: True),
    "reads": (reads.measure, None, lambda peer: False),
}
LAST = "reads"  # its million documents would be in the way of everything else


def main() -> None:
    """Compare."""
    names = [*FIGURES, *ONCE]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", help=f"some of {','.join(names)}")
    parser.add_argument("--peers", help='some of the peers, by a part of their names, as in "celery,huey"; "none" for none')
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write JSON lines here")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page here")
    options = parser.parse_args()
    figures = options.figures.split(",") if options.figures else names
    if unknown := set(figures) - set(names):
        parser.error(f"unknown figure: {', '.join(sorted(unknown))}")
    peers = [peer for peer in PEERS if not options.peers or any(part.lower() in peer.name.lower() for part in options.peers.split(","))]
    start = time.monotonic()
    with prepared() as place:
        measured = merged(asyncio.run(closing(compare(place, figures, peers, options.rounds))))
    if options.json:
        tables.write_lines(options.json, measured)
    print("\n" + page.figures_as_text(measured))
    asked = {"--figures": options.figures, "--peers": options.peers}
    narrowed = " ".join(f"{name} '{value}'" for name, value in asked.items() if value)
    target = options.page or (None if narrowed else PAGE)
    if target:
        target.write_text(page.page(measured, peers, options.rounds, time.monotonic() - start, narrowed))


async def compare(place: Place, figures: list[str], peers: list[Peer], rounds: int) -> list[Measured]:
    """Measure all systems in turn, round after round."""
    found: list[Measured] = []
    with ExitStack() as stack:
        postgres = None
        if any(peer.needs == "postgres" for peer in peers) and servers.postgres_programs():
            postgres = stack.enter_context(servers.postgres())
        for number in range(rounds):
            print(f"# round {number + 1} of {rounds}", flush=True)
            for name in [name for name in figures if name in FIGURES or (number == 0 and name != LAST)]:
                ours, theirs, takes_part = (FIGURES | ONCE)[name]
                if ours:
                    found += _said(await ours(place, 1))
                if theirs:
                    for peer in filter(takes_part, peers):
                        found += _said(await _measured(place, peer, theirs, name, postgres))
        if LAST in figures:
            found += _said(await reads.measure(place, rounds))
    return found


async def _measured(place: Place, peer: Peer, theirs: Theirs, name: str, postgres: servers.Server | None) -> list[Measured]:
    try:
        if peer.needs == "redis" and not servers.redis_program():
            raise SystemExit("redis-server is not installed")
        with runs.stage(place, peer, postgres) as on:
            return await theirs(on)
    except SystemExit as exc:
        if exc.code == STOPPED:
            raise
        return [Measured(name, name, "", (), peer.name, missing=str(exc).splitlines()[0])]
    except Exception:
        traceback.print_exc()
        return [Measured(name, name, "", (), peer.name, missing="its measurement failed")]


def _said(measured: list[Measured]) -> list[Measured]:
    shown = ", ".join(f"{each.key} {each.shown(each.median) if each.values else each.missing}" for each in measured)
    print(f"  {measured[0].system}: {shown}", flush=True)
    return measured


if __name__ == "__main__":
    main()
