"""taskiq on Redis: a list as the queue, the faster of its brokers; no result backend."""

import asyncio
import os

from taskiq_redis import ListQueueBroker

from benchmarks.peers.apps import bodies

broker = ListQueueBroker(os.environ["BENCH_REDIS"])


@broker.task(task_name="noop")
async def noop() -> None:
    """Do nothing."""
    bodies.nothing()


@broker.task(task_name="wait")
async def wait() -> None:
    """Wait."""
    await bodies.sleep_on_the_loop()


async def opened() -> None:
    """Connect."""
    await broker.startup()


async def queue(task: str, number: int) -> None:
    """Queue many, fifty at once."""
    kicked = {"noop": noop, "wait": wait}[task]
    for start in range(0, number, 50):
        await asyncio.gather(*(kicked.kiq() for _ in range(min(50, number - start))))


async def submit() -> None:
    """Submit one."""
    await noop.kiq()
