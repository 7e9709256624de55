"""BATCH_GENERATE_SCENE: write many scenes from their summaries, each by a task of its own."""

from typing import Any, ClassVar

from pydantic import Field

from ainoval.novels.views import SceneBrief
from tasks_app.batches import BatchParameters, BatchResult, SceneBatch
from tasks_app.executable import ChildTask, TaskExecutable
from tasks_app.executables.generate_scene import GenerateScene, GenerateSceneParameters
from tasks_app.registry import register


class BatchGenerateSceneParameters(BatchParameters):
    """Which scenes to write: those that have a summary and no text."""

    style: str | None = Field(default=None, max_length=4_000, description="How to write them (the offline provider cannot follow it).")
    target_words: int | None = Field(default=None, ge=20, le=20_000, description="The length of each to aim at; Chinese counts characters.")


@register
class BatchGenerateScene(SceneBatch[BatchGenerateSceneParameters], TaskExecutable[BatchGenerateSceneParameters, BatchResult]):
    """Write the scenes of a range of chapters, or a list of scenes, from their summaries."""

    task_type = "BATCH_GENERATE_SCENE"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"novelId": "66f0c2a1e4b0a1b2c3d4e5f5", "sceneIds": ["66f0c2a1e4b0a1b2c3d4e5f6", "66f0c2a1e4b0a1b2c3d4e5f7"]},
    )

    def child(self, parameters: BatchGenerateSceneParameters, scene: SceneBrief) -> ChildTask:
        """The scene's text; one without a summary is skipped even when existing text is overwritten."""
        child = GenerateSceneParameters(
            novel_id=parameters.novel_id,
            scene_id=scene.scene_id,
            ai_config_id=parameters.ai_config_id,
            style=parameters.style,
            target_words=parameters.target_words,
            overwrite_existing=parameters.overwrite_existing and scene.has_summary,
            auto_apply=parameters.auto_apply,
        )
        return ChildTask(scene.scene_id, GenerateScene.task_type, child)
