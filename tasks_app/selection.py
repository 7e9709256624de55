"""Which tasks a list or an operation on many is about: filters as one value, and how MongoDB finds them through an index.

A filter is served in one of three ways, the cheaper first: as bounds of the index, in order; as a condition on the index's keys, for which no document is
read; or by reading documents. What needs the second or third is `sparse`: a search for it may pass many tasks that do not match, and is bounded by whoever
makes it (`search`).
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from tasks_app.documents import BATCH_LANE, SINGLE_LANE
from tasks_app.states import TaskStatus

Json = dict[str, Any]

# MongoDB merges the streams of an index in order up to 200; above it sorts in memory.
MAX_STREAMS: Final = 150
ERRORLESS: Final = frozenset({TaskStatus.COMPLETED, TaskStatus.COMPLETED_WITH_ERRORS})
NEWEST_FIRST: Final = [("createdAt", -1), ("_id", -1)]
OLDEST_FIRST: Final = [("createdAt", 1), ("_id", 1)]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tasks. What is given narrows the selection; an empty one is every task there is.

    Args:
        task_ids: These at most.
        task_types: Stored names, with former ones.
        children: Whether tasks of batches are selected like any other; without, a batch stands for its tasks.
        parent_id: Tasks of this batch (needs `children`).
        error_code: Of the last error: tasks that completed have none.
        subject_ids: Tasks about any of these novels and scenes.
        condition: A further one, as MongoDB takes it, in JSON: what tasks that wait for one reason have in common at this moment.
        created_after: Later than this moment, aware UTC.
        created_before, ended_before: Up to and including this moment, aware UTC.
    """

    task_ids: tuple[str, ...] = ()
    user_id: str | None = None
    task_types: tuple[str, ...] = ()
    statuses: frozenset[TaskStatus] = frozenset(TaskStatus)
    children: bool = True
    parent_id: str | None = None
    error_code: str | None = None
    subject_ids: tuple[str, ...] = ()
    condition: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_before: datetime | None = None

    def index(self) -> str:
        """Return the index that serves the selection, oldest or newest first."""
        if self.task_ids:
            return "_id_"
        if self.parent_id is not None:
            return "family"
        return "user_created" if self.user_id is not None else "listed"

    @property
    def needs_types(self) -> bool:
        """Whether the types that are stored must be named, because the index begins with them and the order follows after them."""
        return self.index() == "listed" and not self.task_types

    @property
    def possible_statuses(self) -> frozenset[TaskStatus]:
        """The statuses that selected tasks can have."""
        return self.statuses if self.error_code is None else self.statuses - ERRORLESS

    @property
    def sparse(self) -> bool:
        """Whether the index passes tasks that are not selected."""
        if self.error_code is not None or self.subject_ids or self.condition or self.ended_before is not None:
            return True
        match self.index():
            case "user_created":
                return bool(self.task_types)
            case "family":
                return bool(self.task_types) or self.user_id is not None
            case _:
                return False

    def query(self) -> Json:
        """Return the selection as MongoDB takes it."""
        statuses, types = sorted(self.possible_statuses), sorted(self.task_types)
        lanes: Any = {"$in": [SINGLE_LANE, BATCH_LANE]} if self.children else SINGLE_LANE
        query: Json = {}
        match self.index():
            case "_id_":
                query = {"_id": {"$in": sorted(set(self.task_ids))}, "status": {"$in": statuses}}
                query |= {} if self.children else {"lane": SINGLE_LANE}
                query |= {"taskType": {"$in": types}} if types else {}
                query |= {"userId": self.user_id} if self.user_id is not None else {}
                query |= {"parentId": self.parent_id} if self.parent_id is not None else {}
            case "family":
                query = {"parentId": self.parent_id, "status": {"$in": statuses}}
                query |= {"taskType": {"$in": types}} if types else {}
                query |= {"userId": self.user_id} if self.user_id is not None else {}
                query |= {} if self.children else {"lane": SINGLE_LANE}
            case "user_created":
                query = {"userId": self.user_id, "lane": lanes, "status": {"$in": statuses}}
                query |= {"taskType": later_key(types)} if types else {}
            case _:
                query = {"status": {"$in": statuses}, "lane": lanes}
                query |= {"taskType": {"$in": types}} if types else {}
        if self.error_code is not None:
            query["errorInfo.code"] = later_key([self.error_code])
        if self.subject_ids:
            about = {"$in": sorted(set(self.subject_ids))}
            query["$or"] = [{f"parameters.{name}": about} for name in ("sceneId", "novelId", "sceneIds")]
        if self.condition:
            query["$and"] = [json.loads(self.condition)]  # a status in it narrows the bounds of the index
        if self.ended_before is not None:
            query["completedAt"] = {"$lte": self.ended_before}
        created: Json = {}
        # What ended before a moment was created before it, and that is in the index.
        created_before = min((moment for moment in (self.created_before, self.ended_before) if moment), default=None)
        if created_before is not None:
            created["$lte"] = created_before
        if self.created_after is not None:
            created["$gt"] = self.created_after
        if created:
            query["createdAt"] = created
        return query

    def scope(self, task_ids: Sequence[str]) -> Json:
        """Return the condition for a write on some of the selected tasks: what may have changed since they were read is asked again."""
        # In $and, because the transition states a `status` of its own: both must hold.
        still: list[Json] = [{"status": {"$in": sorted(self.possible_statuses)}}]
        if self.ended_before is not None:
            still.append({"completedAt": {"$lte": self.ended_before}})
        if self.error_code is not None:
            still.append({"errorInfo.code": self.error_code})
        if self.condition:
            still.append(json.loads(self.condition))
        return {"_id": {"$in": list(task_ids)}, "$and": still}

    def parts(self) -> "list[Selection]":
        """Return selections that together are this one, none with more streams of the index than MongoDB merges in order.

        Each must be read with its types named (`needs_types`).
        """
        if self.index() != "listed":
            return [self]
        streams_each = max(len(self.task_types), 1) * (2 if self.children else 1)
        statuses = sorted(self.possible_statuses)
        size = max(MAX_STREAMS // streams_each, 1)
        return [replace(self, statuses=frozenset(statuses[start : start + size])) for start in range(0, len(statuses), size)]


def later_key(values: Iterable[str]) -> Json:
    """Return the condition that a later key of an index is one of these values.

    As a pattern and not as `$in`: of that MongoDB makes bounds, and seeks anew for each key that does not fit (5 µs each, measured, instead of 1 µs).
    """
    return {"$regex": f"^(?:{'|'.join(map(re.escape, values))})$"}
