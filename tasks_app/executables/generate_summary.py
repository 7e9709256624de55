"""GENERATE_SUMMARY: summarise one scene."""

from typing import Any, ClassVar

from pydantic import Field

from ainoval.novels.errors import SceneNotFound
from ainoval.novels.limits import SUMMARY_BYTES
from ainoval.novels.words import has_words
from tasks_app.errors import ApplyRefused
from tasks_app.executable import Applied, Services, TaskContext, TaskExecutable, TaskModel
from tasks_app.registry import register
from tasks_app.writing import Draft, ai_resource, generate_and_apply


class GenerateSummaryParameters(TaskModel):
    """Which scene to summarise, and how."""

    scene_id: str = Field(max_length=64, description="The scene to summarise.")
    ai_config_id: str | None = Field(default=None, max_length=100, description="Name of an AI profile of this server; null is the default one.")
    instructions: str | None = Field(default=None, max_length=4_000, description="Wishes for the summary (the offline provider cannot follow them).")
    overwrite_existing: bool = Field(
        default=True, description="false: skip a scene that has a summary already (checked when the task starts), or no text to summarise."
    )
    auto_apply: bool = Field(default=False, description="true: write the summary into the scene as soon as it is there.")


class GenerateSummaryResult(TaskModel):
    """The summary, and what became of it."""

    scene_id: str
    summary: str | None = Field(description="null when the scene was skipped.")
    scene_version: int = Field(description="The scene's version after the summary was applied, or the one it was made from.")
    applied: bool
    conflict: bool = Field(description="The scene was edited twice while it was summarised; apply with force to overwrite.")
    skipped: bool
    provider: str | None
    model: str | None


@register
class GenerateSummary(TaskExecutable[GenerateSummaryParameters, GenerateSummaryResult]):
    """Summarise one scene."""

    task_type = "GENERATE_SUMMARY"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"sceneId": "66f0c2a1e4b0a1b2c3d4e5f6", "autoApply": True},)

    async def check(self, parameters: GenerateSummaryParameters, user_id: str, services: Services) -> None:
        """The scene must be the user's, and the profile known."""
        services.ai.profiles.resolve(parameters.ai_config_id)
        await services.scenes.require(user_id, parameters.scene_id)

    def resource(self, parameters: GenerateSummaryParameters, services: Services) -> str | None:
        """The AI profile."""
        return ai_resource(parameters.ai_config_id, services)

    async def execute(self, parameters: GenerateSummaryParameters, ctx: TaskContext) -> GenerateSummaryResult:
        """Summarise the scene as it is now; with `auto_apply`, write the summary into it."""
        version = 0

        async def generate() -> Draft | None:
            nonlocal version
            scene = await ctx.scenes.get(ctx.user_id, parameters.scene_id)
            version = scene.version
            if not parameters.overwrite_existing and (scene.summary.strip() or not has_words(scene.content)):
                return None
            await ctx.progress(percentage=10, message="Summarising")
            completion = await ctx.ai.summarise(
                scene.content,
                title=scene.title,
                instructions=parameters.instructions,
                profile=parameters.ai_config_id,
                before_call=ctx.ready,
                on_usage=ctx.add_usage,
            )
            await ctx.progress(percentage=90, message="Storing")
            return Draft.of(completion, scene.version, most_bytes=SUMMARY_BYTES)

        async def apply(draft: Draft) -> Applied:
            done = await ctx.scenes.apply_text(
                ctx.user_id, parameters.scene_id, field="summary", text=draft.text, expected_version=draft.scene_version, task_id=ctx.task_id
            )
            return Applied(done.scene_id, done.version, done.already)

        written = await generate_and_apply(ctx, generate=generate, apply=apply, auto_apply=parameters.auto_apply)
        if written is None:
            return GenerateSummaryResult(
                scene_id=parameters.scene_id,
                summary=None,
                scene_version=version,
                applied=False,
                conflict=False,
                skipped=True,
                provider=None,
                model=None,
            )
        return GenerateSummaryResult(
            scene_id=parameters.scene_id,
            summary=written.draft.text,
            scene_version=written.applied.version if written.applied else written.draft.scene_version,
            applied=written.applied is not None,
            conflict=written.conflict,
            skipped=False,
            provider=written.draft.provider,
            model=written.draft.model,
        )

    async def apply(
        self,
        task_id: str,
        user_id: str,
        parameters: GenerateSummaryParameters,
        result: GenerateSummaryResult,
        services: Services,
        *,
        force: bool,
    ) -> Applied:
        """Write the summary into its scene."""
        if result.summary is None:
            raise ApplyRefused("The scene was skipped: there is no summary to apply.", code="nothing_to_apply")
        expected = None if force else result.scene_version
        try:
            done = await services.scenes.apply_text(user_id, result.scene_id, field="summary", text=result.summary, expected_version=expected, task_id=task_id)
        except SceneNotFound as exc:
            raise ApplyRefused("The scene does not exist any more.", code="target_gone") from exc
        return Applied(done.scene_id, done.version, done.already)
