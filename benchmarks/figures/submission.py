"""Submissions in process, by one producer: one at a time, fifty at once, a thousand in one call."""

import time

from benchmarks import queued
from benchmarks.measured import Measured
from benchmarks.place import Place

ONE_BY_ONE = 500
CALLS = 5


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Every way on an empty queue, in turn."""
    rates: dict[str, list[float]] = {"one": [], "fifty": [], "many": []}
    many = queued.submit_many()
    for _ in range(rounds):
        for name, at_once in (("one", 1), ("fifty", queued.AT_ONCE)):
            await queued.forget()
            await queued.submit("BENCH_NOOP", queued.AT_ONCE, {}, at_once)
            start = time.monotonic()
            await queued.submit("BENCH_NOOP", ONE_BY_ONE, {}, at_once)
            rates[name].append(ONE_BY_ONE / (time.monotonic() - start))
            await _all_queued(queued.AT_ONCE + ONE_BY_ONE)
        if many is not None:
            await queued.forget()
            start = time.monotonic()
            for _ in range(CALLS):
                await many(queued.USER, "BENCH_NOOP", [{}] * queued.IN_ONE_CALL)
            rates["many"].append(CALLS * queued.IN_ONE_CALL / (time.monotonic() - start))
            await _all_queued(CALLS * queued.IN_ONE_CALL)
    await queued.forget()
    missing = "" if many else "not there yet"
    return [
        Measured("submit_one", "submit in process, one at a time", "tasks/s", tuple(rates["one"]), digits=0),
        Measured("submit_fifty", "submit in process, 50 at once", "tasks/s", tuple(rates["fifty"]), digits=0),
        Measured("submit_many", "submit in process, 1,000 in one call", "tasks/s", tuple(rates["many"]), missing=missing, digits=0),
    ]


async def _all_queued(number: int) -> None:
    from ainoval import mongo

    found = await mongo.database()["background_tasks"].count_documents({"userId": queued.USER, "status": "QUEUED"})
    if found != number:
        raise SystemExit(f"{found:,} tasks are queued where {number:,} were submitted")
