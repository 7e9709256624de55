"""Taking MongoDB away and bringing it back: kill -9 of the project's own server, and its start on the same data and port."""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime

from ainoval import mongod
from benchmarks.torture.ground import Ground


def kill_mongod(ground: Ground) -> None:
    """SIGKILL the server."""
    pid = mongod.running_pid(ground.data_dir)
    if pid is None:
        raise RuntimeError("there is no mongod to kill")
    os.kill(pid, signal.SIGKILL)
    while mongod.running_pid(ground.data_dir) == pid:
        time.sleep(0.005)


async def start_mongod(ground: Ground) -> datetime:
    """Start it again; return when it took writes."""
    await asyncio.to_thread(mongod.ensure_running, ground.data_dir)
    return datetime.now(UTC)
