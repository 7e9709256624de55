"""What the machine's MongoDB and disk allow in this very minute: raw inserts through the driver, majority written and journaled.

No task system can submit faster one at a time, and on a shared machine this floor moves by the hour: read the other figures against it.
"""

import asyncio
import time
from typing import Any

from benchmarks.measured import Measured
from benchmarks.place import Place

ONE_BY_ONE, AT_ONCE, IN_ONE_CALL, CALLS = 500, 50, 1_000, 5


async def measure(place: Place, rounds: int) -> list[Measured]:
    """Documents of some 400 bytes into a collection without indexes of its own."""
    from ainoval import mongo

    floor = mongo.database()["bench_floor"]
    one: list[float] = []
    fifty: list[float] = []
    many: list[float] = []
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
    await floor.drop()
    return [
        Measured("floor_one", "floor: raw journaled inserts, one at a time", "/s", tuple(one), digits=0),
        Measured("floor_fifty", "floor: raw journaled inserts, 50 at once", "/s", tuple(fifty), digits=0),
        Measured("floor_many", "floor: raw journaled inserts, 1,000 in one call", "/s", tuple(many), digits=0),
    ]


def _document() -> dict[str, Any]:
    return {f"field{number}": "twelve bytes" for number in range(16)}
