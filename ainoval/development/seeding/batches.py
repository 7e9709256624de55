"""Batches: a parent, its children in all their states, and the parent's end."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ainoval.development.seeding.library import Writer
from ainoval.development.seeding.lives import COUNTED, RETENTION, SCENE, SUMMARY, Lives, Script, apply
from tasks_app import families, lifecycle, registry
from tasks_app.conf import CHILDREN_OUTLIVE
from tasks_app.executable import ChildOutcome
from tasks_app.lifecycle import AttemptRecord
from tasks_app.outcomes import ErrorRecord
from tasks_app.states import TaskStatus
from tasks_app.tally import Ending

Json = dict[str, Any]

SIZES: Final = (20, 120)
AT_ONCE: Final = 20  # tasks of one user at a time: the default limit
OF_CHILDREN: Final = {"BATCH_GENERATE_SUMMARY": SUMMARY, "BATCH_GENERATE_SCENE": SCENE}


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch to make: whose, of how many scenes, and when it ends."""

    writer: Writer
    task_type: str
    size: int
    ended_at: datetime


class Batches:
    """Makes batches from the lives of their children."""

    def __init__(self, lives: Lives) -> None:
        self._lives = lives

    def ended(self, batch: Batch) -> list[Json]:
        """Return a batch that has ended, its children first."""
        child_type = OF_CHILDREN[batch.task_type]
        scripts = [self._child_script(child_type, place, batch) for place in range(batch.size)]
        seconds = max(script.seconds for script in scripts)
        planted_at = batch.ended_at - timedelta(seconds=seconds)
        parent = self.planted(batch, planted_at)
        children = [self.child(batch, parent, place, planted_at) for place in range(batch.size)]
        for child, script in zip(children, scripts, strict=True):
            self._lives.live(child, script)
        self._finish(parent, children, batch)
        return [*children, parent]

    def _child_script(self, child_type: str, place: int, batch: Batch) -> Script:
        script = self._lives.script(child_type, batch.ended_at)
        script.steps[0].wait += place / AT_ONCE * script.steps[0].run  # it waited for those before it
        return script

    def planted(self, batch: Batch, planted_at: datetime, **fields: Any) -> Json:
        """Return a parent that has stored its children and awaits them."""
        wait, run = self._lives.rng.uniform(0.05, 2.0), self._lives.rng.uniform(0.05, 0.4)
        book = batch.writer.books[0]
        parameters = {
            "novelId": book.novel_id,
            "startChapterId": None,
            "endChapterId": None,
            "sceneIds": [book.scene_ids[place % len(book.scene_ids)] for place in range(batch.size)],
            "overwriteExisting": True,
            "autoApply": False,
            "aiConfigId": None,
        }
        submitted_at = planted_at - timedelta(seconds=wait + run)
        parent = self._lives.queued(batch.writer, batch.task_type, submitted_at, parameters=parameters, resource=None, **fields)
        started_at = parent["createdAt"] + timedelta(seconds=wait)
        parent |= {"status": TaskStatus.RUNNING.value, "attempt": 1, "startedAt": started_at}
        record = AttemptRecord(1, f"{self._lives.rng.getrandbits(64):016x}", started_at, planted_at, "")
        transition = lifecycle.await_children(parent["_id"], record, total=batch.size)
        if planted_at > self._lives.now - COUNTED:
            self._lives.tally.attempt(parent, transition)
        apply(parent, transition)
        return parent

    def child(self, batch: Batch, parent: Json, place: int, planted_at: datetime) -> Json:
        """Return a batch's child, queued."""
        scene_id = parent["parameters"]["sceneIds"][place]
        task_id = families.child_id(parent["_id"], str(place))
        return self._lives.queued(
            batch.writer, OF_CHILDREN[batch.task_type], planted_at, book=batch.writer.books[0], scene_id=scene_id, task_id=task_id, parent_id=parent["_id"]
        )

    def _finish(self, parent: Json, children: list[Json], batch: Batch) -> None:
        by_status = Counter(child["status"] for child in children)
        status = families.ended_status(families.ChildCounts(batch.size, dict(by_status)))
        outcomes = [ChildOutcome(TaskStatus(c["status"]), c["parameters"], c.get("result") or {}, c.get("errorInfo")) for c in children]
        executable = registry.get(batch.task_type)
        result = executable.collect(executable.Parameters.model_validate(parent["parameters"]), outcomes).model_dump(mode="json", by_alias=True)
        error = None
        if status is TaskStatus.FAILED:
            error = ErrorRecord("all_children_failed", f"All {batch.size} tasks of this batch failed.", {"failed": batch.size}, retryable=True)
        ended_at = max(child["completedAt"] for child in children)
        expire_at = ended_at + RETENTION
        apply(parent, lifecycle.finish_parent(parent, status=status, total=batch.size, now=ended_at, expire_at=expire_at, result=result, error=error))
        for child in children:
            child["expireAt"] = expire_at + CHILDREN_OUTLIVE
        if ended_at > self._lives.now - COUNTED:
            took = (ended_at - parent["startedAt"]).total_seconds()
            code = error.code if error else None
            self._lives.tally.ending(Ending(batch.task_type, None, status, code=code, run_seconds=took), ended_at)
