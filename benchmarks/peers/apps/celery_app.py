"""Celery on Redis; with results in MongoDB where BENCH_RESULTS names a database, else without results."""

import os

from celery import Celery

from benchmarks.peers.apps import bodies

results = os.environ.get("BENCH_RESULTS")
app = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=results)
app.conf.update(
    task_ignore_result=results is None,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
    broker_connection_retry_on_startup=True,
)
noop = app.task(bodies.nothing, name="noop")
wait = app.task(bodies.sleep, name="wait")


async def queue(task: str, number: int) -> None:
    """Queue many through one producer."""
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(number):
            app.tasks[task].apply_async(producer=producer)


async def submit() -> None:
    """Submit one."""
    noop.delay()
