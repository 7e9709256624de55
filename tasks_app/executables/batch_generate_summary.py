"""BATCH_GENERATE_SUMMARY: summarise many scenes, each by a task of its own."""

from typing import Any, ClassVar

from ainoval.novels.views import SceneBrief
from tasks_app.batches import BatchParameters, BatchResult, SceneBatch
from tasks_app.executable import ChildTask, TaskExecutable
from tasks_app.executables.generate_summary import GenerateSummary, GenerateSummaryParameters
from tasks_app.registry import register


class BatchGenerateSummaryParameters(BatchParameters):
    """Which scenes to summarise."""


@register
class BatchGenerateSummary(SceneBatch[BatchGenerateSummaryParameters], TaskExecutable[BatchGenerateSummaryParameters, BatchResult]):
    """Summarise the scenes of a range of chapters, or a list of scenes."""

    task_type = "BATCH_GENERATE_SUMMARY"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "novelId": "66f0c2a1e4b0a1b2c3d4e5f5",
            "startChapterId": "66f0c2a1e4b0a1b2c3d4e5f0",
            "endChapterId": "66f0c2a1e4b0a1b2c3d4e5f4",
        },
    )

    def child(self, parameters: BatchGenerateSummaryParameters, scene: SceneBrief) -> ChildTask:
        """A summary of the scene; one without text is skipped even when existing summaries are overwritten."""
        child = GenerateSummaryParameters(
            scene_id=scene.scene_id,
            ai_config_id=parameters.ai_config_id,
            overwrite_existing=parameters.overwrite_existing and scene.has_content,
            auto_apply=parameters.auto_apply,
        )
        return ChildTask(scene.scene_id, GenerateSummary.task_type, child)
