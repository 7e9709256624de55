"""The main job over HTTP: submit one batch for each novel, follow them, and compare what they say with what is stored."""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ainoval.development.client import Api, ApiError
from ainoval.development.novels import Novel, Scene, read_scenes
from tasks_app.states import TaskStatus

Json = dict[str, Any]

POLL_SECONDS = 0.25
NO_WORKER_SECONDS = 12.0  # a worker that was killed is counted on for another eight

_COUNTS = ("successCount", "skippedCount", "conflictCount", "failedCount", "cancelledCount")


@dataclass(frozen=True, slots=True)
class Batch:
    """A submitted batch, and its novel's scenes before it."""

    novel: Novel
    task_id: str
    before: list[Scene]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch ended.

    Attributes:
        problems: What is not as it should be, in sentences; empty when all went well.
        scenes: As they are stored now.
    """

    batch: Batch
    task: Json
    scenes: list[Scene]
    problems: list[str]


def submit_summaries(api: Api, novel: Novel) -> Batch:
    """Ask for summaries of all chapters; scenes that have one keep it.

    Raises:
        ApiError: The novel has no chapters, or the server refuses.
    """
    if not novel.chapters:
        raise ApiError(f"{novel.title} has no chapters: there is nothing to summarise.")
    before = read_scenes(api, novel)
    parameters = {"novelId": novel.novel_id, "startChapterId": novel.chapters[0].chapter_id, "endChapterId": novel.chapters[-1].chapter_id}
    return Batch(novel, api.submit("batch-generate-summary", parameters, str(uuid.uuid4())), before)


def follow(api: Api, batches: Sequence[Batch], show: Callable[[Batch, Json], None], between: Callable[[], None], *, seconds: float | None = None) -> bool:
    """Follow batches until all have ended.

    Args:
        show: Is called with a batch and its details whenever they were read.
        between: Is called between reads.
        seconds: At most so long.

    Returns:
        False if time was up.

    Raises:
        ApiError: The server refuses, or there is nobody who works.
    """
    unfinished = {batch.task_id: batch for batch in batches}
    begun = last_worker = time.monotonic()
    while unfinished:
        between()
        for batch in list(unfinished.values()):
            task = api.get(f"/api/tasks/{batch.task_id}")
            show(batch, task)
            if TaskStatus(task["status"]).is_terminal:
                del unfinished[batch.task_id]
            if (task["waitingReason"] or {}).get("code") != "no_worker":
                last_worker = time.monotonic()
        now = time.monotonic()
        if unfinished and now - last_worker > NO_WORKER_SECONDS:
            raise ApiError("No worker is running: start one with `manage.py qcluster`. The batch waits and goes on then.")
        if unfinished and seconds is not None and now - begun > seconds:
            return False
        if unfinished:
            time.sleep(POLL_SECONDS)
    return True


def outcome(api: Api, batch: Batch) -> Outcome:
    """Read how a batch ended, and compare its counts with the novel's scenes and with its own tasks."""
    task = api.get(f"/api/tasks/{batch.task_id}")
    scenes = read_scenes(api, batch.novel)
    problems = _failures(task)
    if task["result"]:
        children = api.get("/api/tasks", parentId=batch.task_id, size=1)["totalElements"]
        problems += disagreements(task["result"], children, batch.before, scenes)
    return Outcome(batch, task, scenes, problems)


def disagreements(result: Mapping[str, Any], children: int, before: Sequence[Scene], after: Sequence[Scene]) -> list[str]:
    """Return in which points a batch's result and what is stored differ."""
    total = result["totalScenes"]
    new = _with_summary(after) - _with_summary(before)
    checks = {
        f"The batch counts {total} scenes, the novel has {len(after)}.": total == len(after),
        f"The batch counts {total} scenes and has {children} tasks.": total == children,
        f"The five counts add up to {sum(result[name] for name in _COUNTS)}, not to {total}.": total == sum(result[name] for name in _COUNTS),
        f"The batch counts {result['successCount']} new summaries, {new} scenes have one that had none.": new == result["successCount"],
    }
    return [sentence for sentence, is_so in checks.items() if not is_so]


def _with_summary(scenes: Sequence[Scene]) -> int:
    return sum(bool(scene.summary.strip()) for scene in scenes)


def _failures(task: Json) -> list[str]:
    status = task["status"]
    if status == TaskStatus.COMPLETED:
        return []
    error, result = task["errorInfo"] or {}, task["result"] or {}
    sentences = [f"The batch ended {status}" + (f": {error['message']} ({error['code']})" if error else ".")]
    details = result.get("failedSceneDetails", [])
    sentences += [f"Scene {detail['sceneId']}: {detail['message']} ({detail['code']})" for detail in details[:3]]
    if (more := result.get("failedCount", 0) - 3) > 0:
        sentences.append(f"… and {more} more scenes.")
    return sentences
