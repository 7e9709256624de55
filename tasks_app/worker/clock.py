"""The clocks of a worker: MongoDB's, as a worker knows it, and the one by which it judges its own leases."""

import time
from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

_ALSO_ASLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS has no such clock


def elapsed() -> float:
    """Return seconds of a clock that knows no jumps and goes on while the machine sleeps (on Linux), as leases do."""
    return time.clock_gettime(_ALSO_ASLEEP)


class ServerClock:
    """Estimates MongoDB's clock from its last answer and `elapsed`: times that a worker stores must not depend on how its machine's clock is set."""

    def __init__(self) -> None:
        self._ahead = time.time() - elapsed()  # of that clock, in seconds since the epoch

    async def read(self, db: AsyncDatabase[dict[str, Any]]) -> None:
        """Ask the server what time it is; the middle of the exchange is taken as its moment."""
        before = elapsed()
        answer = await db.client.admin.command("hello")
        after = elapsed()
        self._ahead = answer["localTime"].timestamp() - (before + after) / 2

    def now(self) -> datetime:
        """The server's time now, in whole milliseconds."""
        return datetime.fromtimestamp(int((elapsed() + self._ahead) * 1000) / 1000, UTC)
