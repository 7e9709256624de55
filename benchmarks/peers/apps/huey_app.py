"""huey on Redis; results are not kept."""

import os

if os.environ.get("BENCH_GREENLETS"):  # its consumer leaves this to the application, and it must come first
    from gevent import monkey

    monkey.patch_all()

from huey import RedisHuey

from benchmarks.peers.apps import bodies

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS"], results=False)
noop = huey.task(name="noop")(bodies.nothing)
wait = huey.task(name="wait")(bodies.sleep)


async def queue(task: str, number: int) -> None:
    """Queue many."""
    enqueue = {"noop": noop, "wait": wait}[task]
    for _ in range(number):
        enqueue()


async def submit() -> None:
    """Submit one."""
    noop()
