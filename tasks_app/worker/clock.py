"""The server's clock, as a worker knows it: times that a worker stores must not depend on how its machine's clock is set."""

import time
from datetime import UTC, datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase


class ServerClock:
    """Estimates MongoDB's clock from its last answer and the local monotonic clock (which knows no jumps)."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()  # of the monotonic clock, in seconds since the epoch

    async def read(self, db: AsyncDatabase[dict[str, Any]]) -> None:
        """Ask the server what time it is; the middle of the exchange is taken as its moment."""
        before = time.monotonic()
        answer = await db.client.admin.command("hello")
        after = time.monotonic()
        self._ahead = answer["localTime"].timestamp() - (before + after) / 2

    def now(self) -> datetime:
        """The server's time now, in whole milliseconds."""
        return datetime.fromtimestamp(int((time.monotonic() + self._ahead) * 1000) / 1000, UTC)
