"""Many submissions, as a busy site has them: some at once, not all."""

import asyncio
from collections.abc import Iterable
from typing import Any

from tasks_app import operations

AT_ONCE = 50  # hundreds at once would wait for a connection longer than the driver lets them, on a slow machine


async def submit_all(user_id: str, task_type: str, each: Iterable[dict[str, Any]]) -> list[str]:
    """Submit a task with each of these parameters; return the ids, in order."""
    free = asyncio.Semaphore(AT_ONCE)

    async def submit(parameters: dict[str, Any]) -> str:
        async with free:
            return (await operations.submit(user_id, task_type, parameters)).task_id

    return await asyncio.gather(*map(submit, each))
