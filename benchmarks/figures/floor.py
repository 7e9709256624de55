"""What the machine's MongoDB and disk allow in this very minute: raw commands through the driver, majority written and journaled.

No task system on MongoDB can submit faster one at a time, or begin a task sooner, and on a shared machine this floor moves by the hour: read the other
figures against it.
"""

import asyncio
import time
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from benchmarks.measured import Measured, percentile
from benchmarks.place import Place

ONE_BY_ONE, AT_ONCE, IN_ONE_CALL, CALLS = 500, 50, 1_000, 5
DISPATCHES, PAUSE_SECONDS = 100, 0.03


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Documents of some 400 bytes into a collection without indexes of its own."""
    from ainoval import mongo

    floor = mongo.database()["bench_floor"]
    one: list[float] = []
    fifty: list[float] = []
    many: list[float] = []
    dispatched: list[list[float]] = []
    for _ in range(rounds):
        await floor.insert_one(_document())
        start = time.monotonic()
        for _ in range(ONE_BY_ONE):
            await floor.insert_one(_document())
        one.append(ONE_BY_ONE / (time.monotonic() - start))
        start = time.monotonic()
        for _ in range(20):
            await asyncio.gather(*(floor.insert_one(_document()) for _ in range(AT_ONCE)))
        fifty.append(20 * AT_ONCE / (time.monotonic() - start))
        start = time.monotonic()
        for _ in range(CALLS):
            await floor.insert_many([_document() for _ in range(IN_ONE_CALL)], ordered=False)
        many.append(CALLS * IN_ONE_CALL / (time.monotonic() - start))
        dispatched.append(await _dispatch(floor))
    await floor.drop()
    return [
        Measured("floor_one", "floor: raw journaled inserts, one at a time", "/s", tuple(one), digits=0),
        Measured("floor_fifty", "floor: raw journaled inserts, 50 at once", "/s", tuple(fifty), digits=0),
        Measured("floor_many", "floor: raw journaled inserts, 1,000 in one call", "/s", tuple(many), digits=0),
        *(
            Measured(
                f"floor_dispatch_p{share}",
                f"floor: raw insert, heard of by a change stream, taken by a find-and-update, p{share}",
                "ms",
                tuple(percentile(delays, share / 100) for delays in dispatched),
            )
            for share in (50, 95)
        ),
    ]


async def _dispatch(floor: "AsyncCollection[dict[str, Any]]") -> list[float]:
    """Return the milliseconds of what must lie between a submission and a claim: two journaled writes, the second when the first has been heard of."""
    delays: list[float] = []
    async with await floor.watch([{"$match": {"operationType": "insert"}}], max_await_time_ms=1_000) as stream:
        for number in range(DISPATCHES):
            start = time.monotonic()
            insert = asyncio.create_task(floor.insert_one(_document() | {"_id": f"dispatch-{number}", "taken": False}))
            while (heard := await stream.try_next()) is None:
                pass
            taken = await floor.find_one_and_update({"_id": heard["documentKey"]["_id"], "taken": False}, {"$set": {"taken": True}})
            delays.append(1000 * (time.monotonic() - start))
            assert taken is not None
            await insert
            await asyncio.sleep(PAUSE_SECONDS)
    await floor.delete_many({"taken": True})
    return delays


def _document() -> dict[str, Any]:
    return {f"field{number}": "twelve bytes" for number in range(16)}
