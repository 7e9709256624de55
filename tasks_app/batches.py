"""What the two batch types have in common: which scenes they are about, and the result that their children add up to."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import Field, model_validator

from ainoval.novels.views import SceneBrief
from tasks_app.executable import ChildOutcome, ChildTask, FanOut, Services, TaskContext, TaskExecutable, TaskModel, either
from tasks_app.states import TaskStatus

MAX_SCENE_IDS = 2_000
MAX_DETAILS = 1_000


class BatchParameters(TaskModel):
    """Which scenes: all of a range of chapters, both ends included, or a list."""

    model_config = either(("sceneIds",), ("startChapterId", "endChapterId"))

    novel_id: str = Field(max_length=64)
    start_chapter_id: str | None = Field(default=None, max_length=64)
    end_chapter_id: str | None = Field(default=None, max_length=64)
    scene_ids: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=MAX_SCENE_IDS)
    overwrite_existing: bool = Field(default=False, description="false: scenes that have the text already are skipped.")
    auto_apply: bool = Field(default=True, description="Write each text into its scene as soon as it is there.")
    ai_config_id: str | None = Field(default=None, max_length=100, description="Name of an AI profile of this server; null is the default one.")

    @model_validator(mode="after")
    def _one_choice(self) -> "BatchParameters":
        ends = (self.start_chapter_id is not None) + (self.end_chapter_id is not None)
        if self.scene_ids is not None and ends:
            raise ValueError("give either sceneIds, or startChapterId and endChapterId")
        if self.scene_ids is None and ends != 2:
            raise ValueError("give sceneIds, or both startChapterId and endChapterId")
        return self


class FailedScene(TaskModel):
    """A scene whose task failed."""

    scene_id: str
    code: str
    message: str


class BatchResult(TaskModel):
    """How many scenes came to what; the five counts add up to `totalScenes`."""

    total_scenes: int
    success_count: int
    failed_count: int
    skipped_count: int
    conflict_count: int
    cancelled_count: int
    failed_scene_details: tuple[FailedScene, ...] = Field(description=f"At most {MAX_DETAILS:,}; the rest are among the children.")
    failed_scene_details_omitted: int = Field(default=0, description="How many failed scenes are not in the list.")


P = TypeVar("P", bound=BatchParameters)


class SceneBatch(TaskExecutable[P, BatchResult]):
    """Base of the batches: one child task for each scene."""

    async def check(self, parameters: P, user_id: str, services: Services) -> None:
        """The novel, the chapters and every scene must be the user's, and the profile known."""
        services.ai.profiles.resolve(parameters.ai_config_id)
        await _scenes(parameters, user_id, services)

    async def execute(self, parameters: P, ctx: TaskContext) -> FanOut:
        """Plan one child for each scene, in reading order."""
        scenes = await _scenes(parameters, ctx.user_id, ctx)
        return await ctx.fan_out([self.child(parameters, scene) for scene in scenes])

    def child(self, parameters: P, scene: SceneBrief) -> ChildTask:
        """Return the task that one scene needs."""
        raise NotImplementedError(f"{type(self).__name__} has no child()")

    def collect(self, parameters: P, children: Sequence[ChildOutcome]) -> BatchResult:
        """Add up what became of the scenes."""
        counts = dict.fromkeys(("success", "failed", "skipped", "conflict", "cancelled"), 0)
        failed: list[FailedScene] = []
        for child in children:
            kind = _kind(child)
            counts[kind] += 1
            if kind == "failed":
                error = child.error or {}
                failed.append(FailedScene(scene_id=child.parameters["sceneId"], code=error.get("code", ""), message=error.get("message", "")))
        return BatchResult(
            total_scenes=len(children),
            success_count=counts["success"],
            failed_count=counts["failed"],
            skipped_count=counts["skipped"],
            conflict_count=counts["conflict"],
            cancelled_count=counts["cancelled"],
            failed_scene_details=tuple(failed[:MAX_DETAILS]),
            failed_scene_details_omitted=max(len(failed) - MAX_DETAILS, 0),
        )


def _kind(child: ChildOutcome) -> str:
    match child.status:
        case TaskStatus.COMPLETED:
            return "skipped" if child.result.get("skipped") else "conflict" if child.result.get("conflict") else "success"
        case TaskStatus.FAILED | TaskStatus.INTERRUPTED:
            return "failed"
        case _:
            return "cancelled"


async def _scenes(parameters: BatchParameters, user_id: str, services: Services | TaskContext) -> list[SceneBrief]:
    if parameters.scene_ids is not None:
        return await services.scenes.by_ids(user_id, parameters.novel_id, dict.fromkeys(parameters.scene_ids))
    return await services.scenes.in_range(user_id, parameters.novel_id, parameters.start_chapter_id or "", parameters.end_chapter_id or "")
