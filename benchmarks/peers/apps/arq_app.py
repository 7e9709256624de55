"""arq on Redis; results are not kept."""

import asyncio
import os
from typing import Any

import arq
from arq.connections import RedisSettings

from benchmarks.peers.apps import bodies

redis = RedisSettings.from_dsn(os.environ["BENCH_REDIS"])
pool: Any = None


async def noop(ctx: dict[str, Any]) -> None:
    """Do nothing."""
    bodies.nothing()


async def wait(ctx: dict[str, Any]) -> None:
    """Wait."""
    await bodies.sleep_on_the_loop()


class WorkerSettings:
    """What `arq` reads."""

    functions = (noop, wait)
    redis_settings = redis
    max_jobs = int(os.environ.get("BENCH_SLOTS", "10"))
    keep_result = 0


async def opened() -> None:
    """Connect."""
    global pool
    pool = await arq.create_pool(redis)


async def queue(task: str, number: int) -> None:
    """Queue many, fifty at once."""
    for start in range(0, number, 50):
        await asyncio.gather(*(pool.enqueue_job(task) for _ in range(min(50, number - start))))


async def submit() -> None:
    """Submit one."""
    await pool.enqueue_job("noop")
