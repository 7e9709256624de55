"""Claimers under limits, and tasks that are told apart by a name."""

from typing import Any

from tasks_app.conf import task_settings
from tasks_app.documents import TASKS
from tasks_app.worker.claims import Claimer
from tasks_app.worker.limits import Limits
from tests.support.stored import ALICE, Db, task


def claimer(db: Db, owner: str = "claimer", *, total: int = 0, per_user: int = 0, per_type: dict[str, int] | None = None, per_resource: Any = None) -> Claimer:
    """A claimer under these limits."""
    return Claimer(db, owner, Limits(total, per_user, per_type or {}, per_resource or {}), task_settings())


async def store(db: Db, *documents: dict[str, Any]) -> None:
    """Store them in one command."""
    await db[TASKS].insert_many(documents)


def named(tag: str, user: str = ALICE, **fields: Any) -> dict[str, Any]:
    """A task to be stored, with its name among its parameters."""
    return task(user, **fields) | {"parameters": {"tag": tag}}
