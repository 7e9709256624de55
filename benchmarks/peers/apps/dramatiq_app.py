"""dramatiq on Redis, with its default middleware.

At most 64 connections a process: with one for each of a thousand greenlets, which is what the client does by itself, they overrun Redis's backlog of new
connections, and tasks stall for up to 30 s.
"""

import os

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.apps import bodies

pool = redis.BlockingConnectionPool.from_url(os.environ["BENCH_REDIS"], max_connections=64, timeout=None)
dramatiq.set_broker(RedisBroker(client=redis.Redis(connection_pool=pool)))
noop = dramatiq.actor(bodies.nothing, actor_name="noop")
wait = dramatiq.actor(bodies.sleep, actor_name="wait")


async def queue(task: str, number: int) -> None:
    """Queue many."""
    actor = dramatiq.get_broker().get_actor(task)
    for _ in range(number):
        actor.send()


async def submit() -> None:
    """Submit one."""
    noop.send()
