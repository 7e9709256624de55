"""Reads what is stored, and says what is wrong with it. Every function returns what it found, as text or numbers; a bar is the scenario's business.

The judge has a connection of its own and uses nothing of the project but the table of states: no lifecycle, no queries, no worker.
"""

import itertools
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from benchmarks.torture import history
from benchmarks.torture.history import Change, Histories
from benchmarks.torture.work.ledger import LEDGER, TRIES
from tasks_app.states import TERMINAL, TRANSITIONS

Json = dict[str, Any]

TASKS = "background_tasks"
LEGAL = {(source.value, target.value) for targets in TRANSITIONS.values() for source, ends in targets.items() for target in ends}
ENDED = {status.value for status in TERMINAL}
CLOCKS_APART = timedelta(milliseconds=10)  # the log's times are in milliseconds, and taken a moment after the write
CANCEL_SECONDS = 2  # a request reaches its worker within half a second; the log's clock counts whole seconds


@dataclass(frozen=True, slots=True)
class Hold:
    """The time in which one attempt held a task, between its claim and the write that took the lease away.

    Attributes:
        renewed: When the lease was claimed or renewed last.
        expires: Its end since then.
        outcome: What that write recorded of the attempt (`completed`, `lost`, …); None for a claim that went back unrun, and while the lease lives.
    """

    task: str
    owner: str
    token: str
    claimed: Change
    ended: Change | None
    renewed: datetime
    expires: datetime
    outcome: str | None


class Evidence:
    """Everything that is stored, read once."""

    def __init__(self, uri: str, database: str) -> None:
        with MongoClient[Json](uri, tz_aware=True, serverSelectionTimeoutMS=10_000) as client:
            db: Database[Json] = client[database]
            self.tasks = {task["_id"]: task for task in db[TASKS].find({})}
            self.histories: Histories = history.read(db, TASKS)
            self.tries = _inserted(history.read(db, TRIES))
            self.lines = _inserted(history.read(db, LEDGER))
            self.ledger_is_unique = any(index.get("unique") and index["key"] == [("task", 1), ("step", 1)] for index in db[LEDGER].index_information().values())
        self.machine_began = datetime.now(UTC) - timedelta(seconds=time.monotonic())
        self.holds = {task: _holds(task, changes) for task, changes in self.histories.items()}

    # --- tasks ---

    def lost(self, accepted: Iterable[str]) -> list[str]:
        """Accepted tasks that are not stored."""
        return [task for task in accepted if task not in self.tasks]

    def left(self) -> list[str]:
        """Tasks that have not ended, or hold a lease although they have."""
        return [
            f"{task['_id']} {task['status']}{' with a lease' if 'lease' in task else ''}"
            for task in self.tasks.values()
            if task["status"] not in ENDED or "lease" in task
        ]

    def not_in(self, status: str, tasks: Iterable[str]) -> list[str]:
        """Those of these tasks that ended otherwise."""
        found = [(task, self.tasks.get(task, {}).get("status", "lost")) for task in tasks]
        return [f"{task} {ended}" for task, ended in found if ended != status]

    def illegal(self) -> list[str]:
        """Changes of status that the table of states does not allow, and claims of what was not queued."""
        found = []
        for task, changes in self.histories.items():
            for change in changes:
                source, target = change.statuses
                if change.before is None:
                    wrong = target != "QUEUED"
                elif change.after is None:
                    wrong = source not in ENDED
                else:
                    wrong = source != target and (source, target) not in LEGAL
                if wrong:
                    found.append(f"{task} {source} -> {target} at {change.at:%H:%M:%S.%f}")
        return found

    def overdrawn(self) -> list[str]:
        """Tasks that used more attempts than they may, at any moment, or that gave more back than they used."""
        return [
            f"{task} attempt {change.after['attempt']} of {change.after['maxAttempts']}"
            for task, changes in self.histories.items()
            for change in changes
            if change.after is not None and not 0 <= change.after["attempt"] <= change.after["maxAttempts"]
        ]

    # --- leases ---

    def double_claims(self) -> list[str]:
        """Leases that were replaced by another while they were held: two workers had one task."""
        return [
            f"{task}: {hold.owner} and {nxt.owner}"
            for task, holds in self.holds.items()
            for hold, nxt in itertools.pairwise(holds)
            if hold.ended is nxt.claimed
        ]

    def stolen_early(self, tolerance: timedelta = timedelta(milliseconds=2)) -> list[str]:
        """Recoveries of a lease that had not run out, by the server's clock; those of a worker that its sentinel had reaped expired it first."""
        return [
            f"{hold.task} of {hold.owner}, {(hold.expires - hold.ended.at).total_seconds():.3f} s early"
            for hold in self.all_holds()
            if hold.ended is not None and hold.outcome == "lost" and hold.expires > hold.ended.at + tolerance
        ]

    def cut_short(self, lease_seconds: float) -> list[str]:
        """Recoveries long before a whole lease had passed since the claim or the last renewal, as one who reckons by a wrong clock would make them.

        Half of it is certain: the server takes the time when a write of many tasks begins, and the log when each is written.
        """
        return [
            f"{hold.task} of {hold.owner}, {(hold.ended.at - hold.renewed).total_seconds():.3f} s after its renewal"
            for hold in self.all_holds()
            if hold.ended is not None and hold.outcome == "lost" and hold.ended.at < hold.renewed + timedelta(seconds=lease_seconds / 2)
        ]

    def foreign_writes(self) -> list[str]:
        """Writes that were accepted from an attempt that did not hold the task: endings, progress, drafts and plantings, told by their token."""
        found = []
        for task, changes in self.histories.items():
            for change in changes:
                if change.before is None or change.after is None:
                    continue
                holder = (change.before.get("lease") or {}).get("token")
                for kind, token in _signed(change.before, change.after):
                    if token != holder:
                        found.append(f"{kind} of {task} at {change.at:%H:%M:%S.%f}")
        return found

    def results_of_others(self) -> list[str]:
        """Completed tasks whose stored result is not that of the attempt that completed them."""
        return [
            task["_id"]
            for task in self.tasks.values()
            if task["taskType"] == "TORTURE_WORK" and task["status"] == "COMPLETED" and task["result"]["token"] != task["attempts"][-1]["token"]
        ]

    def all_holds(self) -> list[Hold]:
        """Every attempt's hold of its task."""
        return [hold for holds in self.holds.values() for hold in holds]

    def losses(self) -> int:
        """How often a task was taken from a worker that was lost."""
        return sum(hold.outcome == "lost" for hold in self.all_holds())

    def held_at(self, owner: str, moment: datetime) -> list[Hold]:
        """What a worker held at a moment and did not end by itself."""
        return [
            hold
            for hold in self.all_holds()
            if hold.owner == owner
            and hold.claimed.at <= moment
            and (hold.ended is None or hold.ended.at > moment)
            and hold.outcome in (None, "lost", "cancelled")
        ]

    def reruns(self, kills: Mapping[str, datetime]) -> list[float]:
        """For each task that a killed worker held: the seconds from the kill to its next claim.

        Args:
            kills: When each owner was killed.
        """
        found = []
        for holds in self.holds.values():
            for hold, nxt in itertools.pairwise(holds):
                if hold.outcome == "lost" and hold.owner in kills:
                    found.append((nxt.claimed.at - kills[hold.owner]).total_seconds())
        return found

    # --- effects ---

    def twice(self, *, but_for: Collection[str] = ()) -> list[str]:
        """Effects that were there twice, and tries by attempts that did not hold their task (any more).

        Args:
            but_for: Owners that were made to try without a lease.
        """
        careless = {hold.token for hold in self.all_holds() if hold.owner in but_for}
        lines = Counter((line["task"], line["step"]) for line, _ in self.lines)
        found = [f"{task} step {step}: {count} lines" for (task, step), count in lines.items() if count > 1]
        for line, order in self.tries:
            # Who stands still between the beginning and the server may arrive late: that is why an effect must be unique, too.
            if line["token"] not in careless and not self._holds_at(line, order) and not self._held_when_begun(line):
                found.append(f"{line['task']} step {line['step']}: begun without a lease")
        return found if self.ledger_is_unique else [*found, "the ledger has lost its unique index"]

    def _holds_at(self, line: Json, order: tuple[int, int]) -> bool:
        changes = self.histories.get(line["task"], [])
        position = bisect_right(changes, order, key=lambda change: change.order) - 1
        state = changes[position].after if position >= 0 else None
        return state is not None and (state.get("lease") or {}).get("token") == line["token"]

    def _held_when_begun(self, line: Json) -> bool:
        begun = self.machine_began + timedelta(seconds=line["begun"])
        return any(
            hold.token == line["token"] and hold.claimed.at <= begun + CLOCKS_APART and (hold.ended is None or begun <= hold.ended.at + CLOCKS_APART)
            for hold in self.holds.get(line["task"], [])
        )

    def late(self) -> int:
        """How many tries arrived when their lease was over, although it was not when they were begun."""
        return sum(not self._holds_at(line, order) for line, order in self.tries)

    def repeats(self) -> int:
        """How often an attempt found its effect in the ledger already, as one may after a loss."""
        return len(self.tries) - len(self.lines)

    def missing(self) -> list[str]:
        """Completed work without its line in the ledger."""
        lines = Counter(line["task"] for line, _ in self.lines)
        return [
            task["_id"]
            for task in self.tasks.values()
            if task["taskType"] == "TORTURE_WORK" and task["status"] == "COMPLETED" and lines[task["_id"]] != task["parameters"]["steps"]
        ]

    # --- families ---

    def inexact(self) -> list[str]:
        """Parents whose counts are not those of their children's states."""
        children: dict[str, Counter[str]] = defaultdict(Counter)
        for task in self.tasks.values():
            if task.get("parentId"):
                children[task["parentId"]][task["status"]] += 1
        found = []
        for task in self.tasks.values():
            if task["taskType"] == "TORTURE_FAMILY" and task.get("children") and task["status"] in ENDED:
                counted = Counter({status: number for status, number in task["result"]["byStatus"].items() if number})
                actual = children[task["_id"]]
                if counted != actual or task["children"]["total"] != actual.total() or task["parameters"]["children"] != actual.total():
                    found.append(f"{task['_id']} says {dict(counted)} of {task['children']['total']}, its children are {dict(actual)}")
        return found

    def finished_often(self) -> list[str]:
        """Tasks that ended more than once in one life; a requeue begins the next."""
        found = []
        for task, changes in self.histories.items():
            ends = Counter(change.after["generation"] for change in changes if change.after is not None and _ended(change))
            found += [f"{task}: {count} ends in life {life}" for life, count in ends.items() if count > 1]
        for key, stored in self.tasks.items():
            twice = [token for token, count in Counter(entry["token"] for entry in stored["attempts"]).items() if count > 1]
            found += [f"{key}: the attempt {token} ended twice" for token in twice]
        return found

    def ends_without_life(self) -> list[str]:
        """Ended tasks that did not end exactly once more often than they were requeued."""
        found = []
        for task, changes in self.histories.items():
            ends = sum(map(_ended, changes))
            requeues = sum(change.statuses[0] in ENDED and change.statuses[1] == "QUEUED" for change in changes)
            if self.tasks.get(task, {}).get("status") in ENDED and ends != requeues + 1:
                found.append(f"{task}: {ends} ends, {requeues} requeues")
        return found

    def completed_after_cancellation(self) -> list[str]:
        """Work that completed although its cancellation had been asked for before its last effect was begun."""
        tried: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for line, order in self.tries:
            tried[line["task"]].append(order)
        found = []
        for task, changes in self.histories.items():
            asked: tuple[int, int] | None = None
            for change in changes:
                asked = change.order if change.statuses == ("RUNNING", "CANCELLING") else asked
                if change.statuses == ("CANCELLING", "COMPLETED") and asked is not None and tried[task]:
                    mine = [order for order in tried[task] if order < change.order]
                    # The effect and the request may cross: what had begun within the poll of cancellations counts as finished.
                    if mine and max(mine)[0] - asked[0] > CANCEL_SECONDS:
                        found.append(task)
        return found


def _ended(change: Change) -> bool:
    before, after = change.statuses
    return before not in ENDED and after in ENDED


def _inserted(histories: Histories) -> list[tuple[Json, tuple[int, int]]]:
    return [(change.after, change.order) for changes in histories.values() for change in changes if change.before is None and change.after is not None]


def _holds(task: str, changes: list[Change]) -> list[Hold]:
    """Return the holds of a task in their order."""
    holds = []
    claimed: Change | None = None
    renewed, last = changes[0].at, {}
    for change in changes:
        lease = (change.after or {}).get("lease")
        if claimed is not None and (lease is None or lease["token"] != last["token"]):
            holds.append(Hold(task, last["owner"], last["token"], claimed, change, renewed, last["expiresAt"], _outcome(change, last["token"])))
            claimed = None
        if lease is not None:
            if claimed is None or lease["expiresAt"] != last["expiresAt"]:
                renewed = change.at
            claimed, last = claimed or change, lease
    if claimed is not None:
        holds.append(Hold(task, last["owner"], last["token"], claimed, None, renewed, last["expiresAt"], None))
    return holds


def _outcome(change: Change, token: str) -> str | None:
    entries = (change.after or {}).get("attempts") or []
    return next((entry["outcome"] for entry in reversed(entries) if entry["token"] == token), None)


def _signed(before: Json, after: Json) -> Iterable[tuple[str, str]]:
    """Yield what a write brought that carries the token of an attempt."""
    for entry in after["attempts"]:
        if entry not in before["attempts"] and entry["worker"]:  # a parent's end has no worker: its children's ends are what counts
            yield entry["outcome"], entry["token"]
    message = (after["progress"] or {}).get("message")
    if message and message != (before["progress"] or {}).get("message") and after["taskType"] == "TORTURE_WORK":
        yield "progress", message
    for kind in ("children", "result"):
        token = (after.get(kind) or {}).get("token")
        if token and token != (before.get(kind) or {}).get("token"):
            yield kind, token
    if (token := after.get("draftToken")) and token != before.get("draftToken"):
        yield "draft", token
