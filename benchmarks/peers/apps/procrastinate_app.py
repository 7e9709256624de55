"""procrastinate on PostgreSQL."""

import os

from procrastinate import App, PsycopgConnector

from benchmarks.peers.apps import bodies

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_POSTGRES"]))


@app.task(name="noop")
async def noop() -> None:
    """Do nothing."""
    bodies.nothing()


@app.task(name="wait")
async def wait() -> None:
    """Wait."""
    await bodies.sleep_on_the_loop()


async def opened() -> None:
    """Connect, make the tables once, and empty them."""
    await app.open_async()
    if not await app.check_connection_async():
        await app.schema_manager.apply_schema_async()
    await app.connector.execute_query_async("TRUNCATE procrastinate_jobs CASCADE")


async def queue(task: str, number: int) -> None:
    """Queue many, a thousand in one statement."""
    deferred = {"noop": noop, "wait": wait}[task]
    for start in range(0, number, 1000):
        await deferred.batch_defer_async(*[{}] * min(1000, number - start))


async def submit() -> None:
    """Submit one."""
    await noop.defer_async()
