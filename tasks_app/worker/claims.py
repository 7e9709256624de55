"""Claiming: which tasks a worker takes next, in groups, in the order of claims (`documents.CLAIM_ORDER`) and within the limits (`limits`).

Three steps, each one command for the whole group: find the due tasks by index, write a lease on those that are still due, read back what was won. With
limits in force the leases are counted before (to size the group; far from every limit the count after the last claim will do) and after (two workers may
have seen the same room): what is over goes back unrun.
"""

import asyncio
import random
import time
import uuid
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.logs import get_logger
from tasks_app import lifecycle, registry, states, tally
from tasks_app.conf import BATCH_LANE_SHARE, CHILDREN_OUTLIVE, QUARANTINE_AFTER_LOSSES, TaskSettings
from tasks_app.documents import BATCH_LANE, CLAIM_ORDER, LANES, SINGLE_LANE, TASKS
from tasks_app.states import TaskStatus
from tasks_app.worker.limits import Limits, Live, count_live

Json = dict[str, Any]

# What the choice needs; the rest is read once, when they are won.
CANDIDATE_FIELDS = {"userId": 1, "taskType": 1, "lane": 1, "crashCount": 1, "resource": 1, "fairKey": 1}
# What an attempt needs; histories and results of earlier lives stay where they are.
CLAIMED_FIELDS = CANDIDATE_FIELDS | dict.fromkeys(
    ("parameters", "attempt", "lease.token", "availableAt", "startedAt", "draft", "parentId", "priority", "generation", "waitedSeconds"), 1
)
MAX_STREAMS = 150  # MongoDB merges at most 200 index streams for one sorted $in query
BLOCKED_HEAD = 20
HAND_BACK_SECONDS = (0.02, 0.2)
CONTENTION_SECONDS, CONTENTION_DOUBLINGS = 0.1, 4
LARGE_GROUP, FEW_RIVALS_SHARE = 100, 1 / 8
FURTHER_GROUPS, FURTHER_SECONDS = 2, 0.2
ROOMY_SHARE, ROOMY_SECONDS = 1 / 2, 0.5

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A group that was won, under one token: of each task what an attempt needs; and whether more may be due than was looked at."""

    token: str
    tasks: list[Json]
    more: bool


class Claimer:
    """Claims for one worker."""

    def __init__(self, db: AsyncDatabase[Json], owner: str, limits: Limits, settings: TaskSettings) -> None:
        self._db = db
        self._tasks = db[TASKS]
        self._owner = owner
        self._limits = limits
        self._lease_seconds = settings.lease_seconds
        self._retention_seconds = settings.retention_seconds + CHILDREN_OUTLIVE.total_seconds()
        self._types = frozenset(registry.known_types())
        self._batch_credit = 0.0
        self._head_blocked = False  # the last search had to look past what may not run now
        self._beaten = 0
        self._further_until = float("-inf")
        self._last_count = (float("-inf"), Live())  # by the monotonic clock; of the leases, with what was claimed here since
        self.limited = limits.any
        self.pause = 0.0  # seconds until the next claim, if one follows: see `_step_aside`
        self.unanswered: set[str] = set()  # tokens of claims whose reply was lost: the lease keeper hands back what they won

    async def claim(self, slots: int, *, quarantine_free: bool = True) -> Claimed:
        """Take up to `slots` due tasks.

        Args:
            slots: Free slots of the worker.
            quarantine_free: Whether a task that was lost twice may be among them (a worker holds at most one).
        """
        live = await self._live_before()
        self.pause = 0.0
        chosen, more = await self._choose(slots, live, quarantine_free)
        if not chosen:
            return Claimed("", [], more)
        token = uuid.uuid4().hex
        ids = [task["_id"] for task in chosen]
        try:
            await lifecycle.execute(self._db, lifecycle.claim(ids, owner=self._owner, token=token, lease_seconds=self._lease_seconds))
            mine = {"_id": {"$in": ids}, "lease.token": token}
            won, live = await asyncio.gather(self._tasks.find(mine, CLAIMED_FIELDS, batch_size=len(ids) + 1).to_list(None), self._live_after())
            self._step_aside(len(ids), len(won))
            won = await self._hand_back_excess(won, live, token)
            won = await self._drop_orphans(won, token)
        except BaseException:
            self.unanswered.add(token)
            raise
        place = {task_id: index for index, task_id in enumerate(ids)}
        return Claimed(token, sorted(won, key=lambda task: place[task["_id"]]), more)

    async def claim_first(self, slots: int, *, quarantine_free: bool = True) -> Claimed:
        """Take the first due task by one command instead of three: for an idle worker that knows of one that has come.

        While something is at its limit it is a whole claim. A task that was lost twice is always left to one.
        """
        if self._limits.reached(await self._live_before()):
            return await self.claim(slots, quarantine_free=quarantine_free)
        token = uuid.uuid4().hex
        scope: Json = {"taskType": {"$in": sorted(self._types)}, "crashCount": {"$lt": QUARANTINE_AFTER_LOSSES}}
        first = lifecycle.claim_first(scope, owner=self._owner, token=token, lease_seconds=self._lease_seconds)
        try:
            task = await lifecycle.execute_on_first(self._db, first, CLAIMED_FIELDS, CLAIM_ORDER, hint="claim")
            won = [task] if task is not None else []
            if won:
                won = await self._hand_back_excess(won, await self._live_after(), token)
            return Claimed(token, await self._drop_orphans(won, token), more=False)
        except BaseException:
            self.unanswered.add(token)
            raise

    def _step_aside(self, chosen: int, won: int) -> None:
        """Leave the head of the queue to whoever took half of what was chosen there: workers that look at one moment choose the same tasks, and should part.

        Who lost a large group to one or two has room further down for a moment. Many would meet there again, and a small group is not worth the keys that
        are passed over: they pause, and longer each time.
        """
        if 2 * won > chosen:
            self._beaten = 0
            return
        now = time.monotonic()
        if chosen >= LARGE_GROUP and won >= FEW_RIVALS_SHARE * chosen and now >= self._further_until:
            self._further_until = now + FURTHER_SECONDS
            return
        self._further_until = now
        longest = CONTENTION_SECONDS * 2**self._beaten
        self.pause = random.uniform(longest / 4, longest)  # noqa: S311 - no secret
        self._beaten = min(self._beaten + 1, CONTENTION_DOUBLINGS)

    # --- which tasks ---

    async def _choose(self, slots: int, live: Live, quarantine_free: bool) -> tuple[list[Json], bool]:
        picker = _Picker(slots, self._limits, live, self._types, quarantine_free)
        # The head of a long queue stays blocked for many claims: a few of it tell, and reading the rest would cost more than all that is claimed.
        looked_at = min(slots, BLOCKED_HEAD) if self._head_blocked else slots
        head = await self._head(looked_at)
        # At most one claim's share is saved up: batches that come after a quiet hour must not fill a whole group.
        self._batch_credit = min(self._batch_credit, 1.0) + slots * BATCH_LANE_SHARE
        if len(head) == looked_at and head[-1]["lane"] == SINGLE_LANE and (share := int(self._batch_credit)):
            # Singles fill the whole group: a fifth is still the batches'.
            batch = await self._find({"lane": BATCH_LANE}, share)
            picker.take(batch)
        picker.take(head)
        # Part of the head of the queue may not run now: ask for tasks of the users who may, through the index that begins with the user.
        self._head_blocked = picker.refused > 0 and len(head) == looked_at
        if self._head_blocked and not picker.full and not (self._limits.total and live.total >= self._limits.total):
            await self._look_past(picker, live)
        self._batch_credit -= min(self._batch_credit, sum(task["lane"] == BATCH_LANE for task in picker.taken))
        return picker.taken, len(head) == looked_at

    async def _head(self, count: int) -> list[Json]:
        if not self._head_blocked and time.monotonic() < self._further_until:
            further = await self._find({}, count, skip=FURTHER_GROUPS * count)
            if len(further) == count:
                return further
        return await self._find({}, count)

    async def _look_past(self, picker: "_Picker", live: Live) -> None:
        types = sorted(t for t in self._types if not self._limits.type_is_full(t, live))
        resources = [None, *(name for name, limit in self._limits.per_resource.items() if not limit or live.resources[name] < limit)]
        # Few enough streams for MongoDB to merge by index; which users is left to chance, so that everyone's turn comes.
        users = await self._users_with_room(live, max(MAX_STREAMS // (2 * max(len(types), 1) * len(resources)), 1))
        if not types or not users:
            return
        extra: Json = {
            "userId": {"$in": users},
            "taskType": {"$in": types},
            "resource": {"$in": resources},
            "lane": {"$in": LANES},
        }
        if not picker.quarantine_free:
            extra["crashCount"] = {"$lt": QUARANTINE_AFTER_LOSSES}
        picker.take(await self._find(extra, picker.wanted, hint="claim_by_user"))
        if not picker.full:
            # Of a profile that is not (or no longer) known here: nothing limits them. By user instead of in order, because a range cannot be merged.
            extra["resource"] = {"$gt": "", "$nin": sorted(self._limits.per_resource)}
            picker.take(await self._find(extra, picker.wanted, hint="claim_by_user", in_order=False))

    async def _users_with_room(self, live: Live, count: int) -> list[str]:
        """Return up to `count` users who have queued tasks and may run more, from a random place in their order on.

        The index is entered anew for each, past those at their limit: MongoDB 6 takes no hint for `distinct`, and would read every queued task.
        """
        full = sorted(user for user, running in live.users.items() if self._limits.per_user and running >= self._limits.per_user)
        found: list[str] = []
        start = str(uuid.uuid4())
        for end, last in (({}, start), ({"$lte": start}, "")):
            while len(found) < count:
                query: Json = {"status": TaskStatus.QUEUED.value, "userId": {"$gt": last, "$nin": full, **end}}
                task = await self._tasks.find_one(query, {"userId": 1}, sort=[("userId", 1)], hint="claim_by_user")
                if task is None:
                    break
                last = task["userId"]
                found.append(last)
        return found

    async def _find(self, extra: Json, limit: int, hint: str = "claim", skip: int = 0, *, in_order: bool = True) -> list[Json]:
        query = {
            "status": TaskStatus.QUEUED.value,
            **extra,
            "$expr": {"$lte": ["$availableAt", "$$NOW"]},
        }
        # In one batch: by itself the first would hold 101 of them.
        order = list(CLAIM_ORDER.items()) if in_order else None
        found = self._tasks.find(query, CANDIDATE_FIELDS, sort=order, skip=skip, limit=limit, batch_size=limit, hint=hint)
        return await found.to_list(None)

    # --- how many run ---

    async def _live_before(self) -> Live:
        """Return the leases to size a group by. It is no promise, as others claim at the same time: far from every limit an older count is as good."""
        counted_at, live = self._last_count
        if time.monotonic() - counted_at < ROOMY_SECONDS and not self._limits.reached(live, ROOMY_SHARE):
            return live
        return await self._live_after()

    async def _live_after(self) -> Live:
        """Count the leases now, and remember it; without limits nobody asks, and none are counted."""
        if not self._limits.any:
            return Live()
        live = await count_live(self._db)
        self._last_count = (time.monotonic(), live)
        return live

    # --- what must go back ---

    async def _hand_back_excess(self, won: list[Json], live: Live, token: str) -> list[Json]:
        over = self._limits.excess(won, live) if self._limits.any else []
        if not over:
            return won
        ids = {task["_id"] for task in over}
        delay = random.uniform(*HAND_BACK_SECONDS)  # noqa: S311 - so that two claimers do not meet again at once
        if await lifecycle.execute(self._db, lifecycle.hand_back(sorted(ids), token, delay_seconds=delay)) < len(ids):
            # Somebody asked for their cancellation meanwhile.
            await self._cancel_unrun(over, token)
        log.debug("claim_over_limit", handed_back=len(ids))
        return [task for task in won if task["_id"] not in ids]

    async def _drop_orphans(self, won: list[Json], token: str) -> list[Json]:
        parents = {task["parentId"] for task in won if task.get("parentId")}
        if not parents:
            return won
        # Not only RUNNING: a parent that lost its worker while it planted is QUEUED or RETRYING, and plants again without making these anew.
        wanted = sorted(states.UNFINISHED - {TaskStatus.CANCELLING})
        alive = await self._tasks.find({"_id": {"$in": sorted(parents)}, "status": {"$in": wanted}}, {"_id": 1}).to_list(None)
        gone = parents - {parent["_id"] for parent in alive}
        if not gone:
            return won
        orphans = [task for task in won if task.get("parentId") in gone]
        await self._cancel_unrun(orphans, token)
        log.info("children_cancelled_unrun", count=len(orphans))
        return [task for task in won if task.get("parentId") not in gone]

    async def _cancel_unrun(self, tasks: list[Json], token: str) -> None:
        ids = sorted(task["_id"] for task in tasks)
        cancelled = await lifecycle.execute(self._db, lifecycle.cancel_unrun(ids, token, retention_seconds=self._retention_seconds))
        if cancelled:
            await tally.record(self._db, tally.alike(tally.kinds_of(tasks), TaskStatus.CANCELLED, at_most=cancelled))


class _Picker:
    """Takes tasks in the order given while there is room for them."""

    def __init__(self, wanted: int, limits: Limits, live: Live, types: frozenset[str], quarantine_free: bool) -> None:
        self.wanted = wanted
        self.taken: list[Json] = []
        self.refused = 0
        self._seen: set[str] = set()
        self._limits = limits
        self._live = live
        self._types = types
        self.quarantine_free = quarantine_free

    @property
    def full(self) -> bool:
        return len(self.taken) >= self.wanted

    def take(self, candidates: list[Json]) -> None:
        for task in candidates:
            if self.full:
                return
            if task["_id"] in self._seen:
                continue
            self._seen.add(task["_id"])
            if task["taskType"] not in self._types or (self._limits.any and self._limits.reason(task, self._live)):
                self.refused += 1
                continue
            if task["crashCount"] >= QUARANTINE_AFTER_LOSSES:
                if not self.quarantine_free:
                    self.refused += 1
                    continue
                self.quarantine_free = False
            self.taken.append(task)
            self._live.add(task)
