"""A network that breaks: `make partition`. Three MongoDB members and two worker clusters, each on a host of its own (a network namespace).

Again and again the cable of the primary is pulled out under load, or that of a cluster, for longer than an election and several leases, and plugged in again.
The same judge looks at the same invariants. Needs root and iproute2; elsewhere it says why it is skipped, and succeeds.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from benchmarks.torture import ground, network
from benchmarks.torture.fleet import Fleet
from benchmarks.torture.judge import Evidence
from benchmarks.torture.load import USERS, all_ended
from benchmarks.torture.network import Network
from benchmarks.torture.replica_set import ReplicaSet
from benchmarks.torture.scenarios.s4_faults import insist
from benchmarks.torture.score import Line
from benchmarks.torture.work.ledger import make_indexes

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = ["db1", "db2", "db3"]
CLUSTERS = ["work1", "work2"]
HOSTS = [*MEMBERS, *CLUSTERS]
CUT_SECONDS = 10.0
BETWEEN_SECONDS = 5.0
TASKS_EACH_SECOND = 20


async def submit(stop: asyncio.Event, rng: random.Random, accepted: list[str], refused: Counter[str]) -> None:
    """Submit until told to stop; who is refused insists."""
    waiting: set[asyncio.Task[str]] = set()
    number = 0
    while not stop.is_set():
        number += 1
        kind = ("TORTURE_FAMILY", {"children": 5, "milliseconds": 100}) if number % 20 == 0 else ("TORTURE_WORK", {"milliseconds": rng.randint(50, 1_500)})
        waiting.add(asyncio.create_task(insist(USERS[number % len(USERS)], *kind, refused)))
        await asyncio.sleep(1 / TASKS_EACH_SECOND)
    accepted += await asyncio.gather(*waiting)


async def play(place: ground.Ground, net: Network, members: ReplicaSet, rounds: int, line: Line) -> None:
    """Cut, heal, count."""
    from ainoval import mongo

    rng = random.Random(line.seed)
    accepted: list[str] = []
    refused: Counter[str] = Counter()
    stop = asyncio.Event()
    prefixes = [net.inside(host) for host in CLUSTERS]
    settings = [{"MONGODB_URI": members.uri} for _ in CLUSTERS]
    elections: list[float] = []
    _, first_term = members.primary(10)
    async with Fleet(place, per_cluster=settings, prefixes=prefixes) as fleet:
        before = {process.pid for process in fleet.processes()}
        submitting = asyncio.create_task(submit(stop, rng, accepted, refused))
        await asyncio.sleep(BETWEEN_SECONDS)
        for number in range(rounds):
            primary, _ = await asyncio.to_thread(members.primary, 20)
            # The primary alone, a cluster alone, and the primary together with a cluster, which may go on believing in it.
            victims = [[primary], [CLUSTERS[number % 2]], [primary, CLUSTERS[number % 2]]][number % 3]
            began = time.monotonic()
            for victim in victims:
                net.cut(victim)
            if primary in victims:
                await asyncio.to_thread(members.primary, 20, primary)
                elections.append(time.monotonic() - began)
            await asyncio.sleep(max(CUT_SECONDS - (time.monotonic() - began), 0))
            for victim in victims:
                net.heal(victim)
            await asyncio.sleep(BETWEEN_SECONDS)
        stop.set()
        await submitting
        await all_ended(90)
        after = {process.pid for process in fleet.processes()}
    _, last_term = members.primary(20)

    evidence = Evidence(mongo.uri(), mongo.database_name())
    line.note("tasks", len(evidence.tasks))
    line.none("lost", evidence.lost(accepted))
    line.none("left", evidence.left())
    line.none("twice", evidence.twice())
    line.none("missing", evidence.missing())
    line.none("illegal", evidence.illegal() + evidence.overdrawn() + evidence.double_claims() + evidence.stolen_early())
    line.none("foreign_writes", evidence.foreign_writes() + evidence.results_of_others())
    line.none("parents_inexact", evidence.inexact() + evidence.finished_often())
    line.none("processes_dead", before - after)
    ends = Counter(task["status"] for task in evidence.tasks.values())
    line.note("ends", dict(ends))
    line.note("election_seconds_max", max(elections, default=0.0))
    line.note("repeats", evidence.repeats())
    line.did("primaries_cut_off", len(elections), rounds // 2)
    line.did("terms", last_term - first_term, len(elections))
    line.did("clusters_cut_off", rounds - (rounds + 2) // 3, 1)
    line.did("losses", evidence.losses(), 1)
    line.did("submissions_refused", refused.total())


def run_inside(prefix: str, seed: int, rounds: int) -> int:
    """Run on the hub, where all hosts can be reached."""
    net = Network(prefix, HOSTS)
    line = Line("partition", "the primary cut off, and a cluster, under load", seed, f"{rounds} rounds")
    began = time.monotonic()
    with ground.folder() as place:
        members = ReplicaSet(net, MEMBERS, place.folder)
        try:
            members.start()
            with ground.prepared(place, mongodb_uri=members.uri):
                from ainoval import mongo

                make_indexes()

                async def main() -> None:
                    try:
                        await play(place, net, members, rounds, line)
                    finally:
                        await mongo.close()

                asyncio.run(main())
        finally:
            members.stop()
    print(json.dumps(line.shown(time.monotonic() - began)), flush=True)
    return 0 if line.green else 1


def main() -> int:
    """Build the network, run on its hub, remove it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture.partition", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return run_inside(options.inside, options.seed, options.rounds)
    if reason := network.why_not():
        print(json.dumps({"scenario": "partition", "verdict": "skipped", "reasons": [reason]}))
        return 0
    prefix = f"torture-{os.getpid()}"
    with network.built(prefix, HOSTS) as net:
        command = [sys.executable, "-m", "benchmarks.torture.partition", "--inside", prefix, "--seed", str(options.seed), "--rounds", str(options.rounds)]
        return subprocess.run([*net.inside(network.HUB), *command], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
