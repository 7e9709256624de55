"""How many tasks may run at once: whole system, per type, per user, per resource (an AI profile). Counted from the live leases, never from a counter."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import registry
from tasks_app.conf import TaskSettings
from tasks_app.documents import LEASED_STATUS, TASKS

Json = dict[str, Any]


@dataclass(slots=True)
class Live:
    """How many tasks hold a lease now."""

    total: int = 0
    users: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    resources: Counter[str] = field(default_factory=Counter)

    def add(self, task: Json, count: int = 1) -> None:
        """Count `count` more tasks like this one."""
        self.total += count
        self.users[task["userId"]] += count
        self.types[registry.present_name(task["taskType"])] += count
        if resource := task.get("resource"):
            self.resources[resource] += count


@dataclass(frozen=True)
class Limits:
    """The limits in force; 0 = none."""

    total: int
    per_user: int
    per_type: dict[str, int]
    per_resource: dict[str, int]

    @classmethod
    def current(cls, settings: TaskSettings, per_resource: dict[str, int]) -> "Limits":
        """Return the limits of the settings, the types and the AI profiles."""
        named = {registry.present_name(name): limit for name, limit in settings.type_limits.items()}
        per_type = {e.task_type: e.max_running for e in registry.all_types() if e.max_running} | named
        return cls(
            settings.max_running,
            settings.max_running_per_user,
            {name: limit for name, limit in per_type.items() if limit},
            dict(per_resource),  # with those that have no limit: the claim names every resource that has room
        )

    @cached_property
    def any(self) -> bool:
        """Whether anything is limited at all: without limits a claim needs no counting."""
        return bool(self.total or self.per_user or self.per_type or any(self.per_resource.values()))

    def reason(self, task: Json, live: Live) -> str | None:
        """Return which limit keeps this task from running beside those in `live`, or None."""
        if self.total and live.total >= self.total:
            return "system_limit"
        if self.type_is_full(task["taskType"], live):
            return "type_limit"
        if self.per_user and live.users[task["userId"]] >= self.per_user:
            return "user_limit"
        resource = task.get("resource")
        if resource and (limit := self.per_resource.get(resource)) and live.resources[resource] >= limit:
            return "provider_limited"
        return None

    def type_is_full(self, task_type: str, live: Live) -> bool:
        """Return whether a type, under any of its names, is at its limit."""
        name = registry.present_name(task_type)
        limit = self.per_type.get(name)
        return bool(limit) and live.types[name] >= limit  # type: ignore[operator]

    def reached(self, live: Live, share: float = 1.0) -> bool:
        """Return whether anything is at its limit, or at this share of it."""
        return bool(
            (self.total and live.total >= share * self.total)
            or (self.per_user and any(count >= share * self.per_user for count in live.users.values()))
            or any(limit and live.types[name] >= share * limit for name, limit in self.per_type.items())
            or any(limit and live.resources[name] >= share * limit for name, limit in self.per_resource.items())
        )

    def excess(self, claimed: Iterable[Json], live: Live) -> list[Json]:
        """Return which of the claimed tasks must go back, the last first, so that no limit is exceeded. `live` counts them too, and is changed."""
        over: list[Json] = []
        for task in reversed(list(claimed)):
            live.add(task, -1)
            if self.reason(task, live):
                over.append(task)  # beside the others it is one too many: it stays uncounted
            else:
                live.add(task)
        return over


async def count_live(db: AsyncDatabase[Json]) -> Live:
    """Count the live leases, from the index alone."""
    live = Live()
    cursor = await db[TASKS].aggregate(
        [
            # Parents that await their children are RUNNING without a lease: they hold no slot.
            {"$match": {"status": LEASED_STATUS, "lease.owner": {"$gt": ""}}},
            {
                "$group": {
                    "_id": {"userId": "$userId", "taskType": "$taskType", "resource": "$resource"},
                    "count": {"$sum": 1},
                }
            },
        ],
        hint="active",
    )
    async for group in cursor:
        live.add(group["_id"], group["count"])
    return live
