"""What became of tasks, written in groups: one journaled bulk write carries every ending, draft and progress report that is due.

A bulk tells how many of its operations matched, not which. When fewer matched than were sent, the tasks are read back, and each write is told apart by the
token it leaves behind: executed, although its reply was lost; refused because the task is being cancelled; or too late, because another attempt has it.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect, BulkWriteError

from ainoval import mongo
from ainoval.logs import get_logger
from tasks_app import lifecycle
from tasks_app.documents import TASKS
from tasks_app.lifecycle import Transition
from tasks_app.states import TaskStatus

Json = dict[str, Any]

MAX_GROUP = 1_000
RETRY_SECONDS = (0.05, 1.0)
MAX_REFUSALS = 5
CROWD = 50  # endings in one write

log = get_logger(__name__)


class Verdict(Enum):
    """What became of a write."""

    WRITTEN = auto()
    CANCELLING = auto()  # still ours, but somebody asked for its cancellation, and this write needs RUNNING
    LOST = auto()  # not ours any more


Callback = Callable[[Verdict], None]


class Outbox:
    """Merges the writes of one worker.

    Args:
        crowd: Told when many attempts end at once.
    """

    def __init__(self, db: AsyncDatabase[Json], crowd: Callable[[], None] = lambda: None) -> None:
        self._crowd = crowd
        self._tasks = db[TASKS]
        self._pending: list[tuple[Transition, Callback]] = []
        self._reports: dict[str, Transition] = {}
        self._due = asyncio.Event()

    def put(self, transition: Transition, callback: Callback) -> None:
        """Write an ending or a draft; `callback` hears what became of it. An ending drops a waiting progress report of its task: it carries the last."""
        if transition.name != "draft":
            self._reports.pop(transition.task_id, None)
        self._pending.append((transition, callback))
        self._due.set()

    def report(self, transition: Transition) -> None:
        """Write a progress report: the newest of each task is enough, and nobody waits for it."""
        self._reports[transition.task_id] = transition
        self._due.set()

    async def write(self, transition: Transition) -> Verdict:
        """Write, and wait for what became of it."""
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

        def tell(verdict: Verdict) -> None:
            if not future.done():  # who waited may have been cancelled
                future.set_result(verdict)

        self.put(transition, tell)
        return await future

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._due.wait()
            # One turn of the loop: attempts that end in the same turn share the write.
            await asyncio.sleep(0)
            group, self._pending = self._pending[:MAX_GROUP], self._pending[MAX_GROUP:]
            reports, self._reports = self._reports, {}
            if len(group) >= CROWD:
                self._crowd()
            try:
                await self._write_group(group, list(reports.values()))
            except asyncio.CancelledError:
                self._pending = group + self._pending
                raise
            if not self._pending and not self._reports:
                self._due.clear()

    async def _write_group(self, group: list[tuple[Transition, Callback]], reports: list[Transition]) -> None:
        delay, refusals = RETRY_SECONDS[0], 0
        while group or reports:
            transitions = [transition for transition, _ in group] + reports
            try:
                # What was refused is tried alone, so that it keeps nothing else from being stored.
                matched, refused = await self._bulk(lifecycle.merged(transitions) if not refusals else transitions)
                if matched == len(transitions):
                    for _, callback in group:
                        callback(Verdict.WRITTEN)
                    return
                verdicts = await self._read_back([transition for transition, _ in group])
            except mongo.UNAVAILABLE as exc:
                # The database is away: what happened here is kept, and written when it is back.
                log.warning("outbox_waits", writes=len(transitions), error=type(exc).__name__)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_SECONDS[1])
                continue
            refusals += refused
            undecided = []
            for transition, callback in group:
                verdict = verdicts[transition.task_id]
                if verdict is not None:
                    callback(verdict)
                elif refusals < MAX_REFUSALS:
                    undecided.append((transition, callback))
                else:
                    log.error("write_given_up", task_id=transition.task_id, transition=transition.name)
                    callback(Verdict.LOST)  # the server will never store it: the lease runs out, and the task counts a loss
            group, reports = undecided, []  # a report that did not match is out of date
            if undecided:
                await asyncio.sleep(delay)

    async def _bulk(self, transitions: list[Transition]) -> tuple[int, bool]:
        """Send one bulk write; return how many matched, and whether the server refused any."""
        try:
            answer = await self._tasks.bulk_write([t.operation() for t in transitions], ordered=False)
        except BulkWriteError as exc:
            if mongo.is_unavailable(exc):
                raise AutoReconnect("the group was not acknowledged by a majority") from exc
            log.error("writes_refused", writes=len(transitions), codes=sorted({error["code"] for error in exc.details["writeErrors"]}))
            return -1, True
        return answer.matched_count, False

    async def _read_back(self, transitions: list[Transition]) -> dict[str, Verdict | None]:
        fields = {"status": 1, "lease.token": 1, "attempts.token": 1, "attempts.outcome": 1, "children.token": 1, "draftToken": 1}
        ids = [transition.task_id for transition in transitions]
        found = {doc["_id"]: doc async for doc in self._tasks.find({"_id": {"$in": ids}}, fields)}
        return {t.task_id: verdict_of(t, found.get(t.task_id)) for t in transitions}


def verdict_of(transition: Transition, document: Json | None) -> Verdict | None:
    """Tell from the stored task what became of a write: None when it was not executed and may be sent again."""
    if document is None:
        return Verdict.LOST
    token = transition.token
    match transition.name:
        case "await_children":
            traces = [(document.get("children") or {}).get("token")]
        case "draft":
            traces = [document.get("draftToken")]
        case _:
            # A sweep that took the task away leaves the token too, with an outcome of its own.
            outcome = transition.update["$push"]["attempts"]["$each"][0]["outcome"]  # type: ignore[call-overload]
            traces = [entry.get("token") for entry in document.get("attempts", []) if entry.get("outcome") == outcome]
    held = (document.get("lease") or {}).get("token") == token
    # A draft leaves the lease as it is; without it, whatever this attempt has saved is another's now.
    if token in traces and held == (transition.name == "draft"):
        return Verdict.WRITTEN
    if not held:
        return Verdict.LOST
    wanted = transition.filter["status"]
    allowed = wanted["$in"] if isinstance(wanted, dict) else [wanted]
    if document["status"] in allowed:
        return None
    return Verdict.CANCELLING if document["status"] == TaskStatus.CANCELLING.value else Verdict.LOST
