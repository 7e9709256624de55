"""GENERATE_SCENE: write one scene from its summary."""

from typing import Any, ClassVar

from pydantic import Field, model_validator

from ainoval.novels.errors import ChapterNotFound, NovelNotFound, SceneNotFound
from ainoval.novels.limits import CONTENT_BYTES
from ainoval.novels.words import has_words, word_count
from tasks_app.errors import ApplyRefused
from tasks_app.executable import Applied, Services, TaskContext, TaskExecutable, TaskModel, either
from tasks_app.registry import register
from tasks_app.writing import Draft, ai_resource, generate_and_apply


class GenerateSceneParameters(TaskModel):
    """What to write: an existing scene from its summary (`sceneId`), or a new one (`chapterId` and `summary`)."""

    model_config = either(("sceneId",), ("chapterId", "summary"))

    novel_id: str = Field(max_length=64)
    scene_id: str | None = Field(default=None, max_length=64, description="Write this scene from its own summary.")
    chapter_id: str | None = Field(default=None, max_length=64, description="Write a new scene at the end of this chapter.")
    summary: str | None = Field(default=None, min_length=1, max_length=20_000, description="What happens in the new scene.")
    ai_config_id: str | None = Field(default=None, max_length=100, description="Name of an AI profile of this server; null is the default one.")
    style: str | None = Field(default=None, max_length=4_000, description="How to write it (the offline provider cannot follow it).")
    target_words: int | None = Field(default=None, ge=20, le=20_000, description="The length to aim at; Chinese counts characters.")
    overwrite_existing: bool = Field(
        default=True, description="false: skip a scene that has text already (checked when the task starts), or no summary to write from."
    )
    auto_apply: bool = Field(default=False, description="true: write the text into the novel as soon as it is there.")

    @model_validator(mode="after")
    def _one_target(self) -> "GenerateSceneParameters":
        if self.scene_id is not None and (self.chapter_id is not None or self.summary is not None):
            raise ValueError("give either sceneId, or chapterId and summary")
        if self.scene_id is None and (self.chapter_id is None or self.summary is None):
            raise ValueError("give sceneId, or both chapterId and summary")
        return self


class GenerateSceneResult(TaskModel):
    """The text, and what became of it."""

    scene_id: str | None = Field(description="null for a new scene that was not applied yet.")
    content: str | None = Field(description="null when the scene was skipped.")
    word_count: int
    scene_version: int
    applied: bool
    conflict: bool = Field(description="The scene was edited twice while it was written; apply with force to overwrite.")
    skipped: bool
    provider: str | None
    model: str | None


@register
class GenerateScene(TaskExecutable[GenerateSceneParameters, GenerateSceneResult]):
    """Write one scene from its summary."""

    task_type = "GENERATE_SCENE"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"novelId": "66f0c2a1e4b0a1b2c3d4e5f5", "sceneId": "66f0c2a1e4b0a1b2c3d4e5f6", "targetWords": 600},
        {"novelId": "66f0c2a1e4b0a1b2c3d4e5f5", "chapterId": "66f0c2a1e4b0a1b2c3d4e5f4", "summary": "Mara finds the lighthouse dark."},
    )

    async def check(self, parameters: GenerateSceneParameters, user_id: str, services: Services) -> None:
        """Novel, chapter and scene must be the user's, and the profile known."""
        services.ai.profiles.resolve(parameters.ai_config_id)
        if parameters.scene_id is not None:
            await services.scenes.by_ids(user_id, parameters.novel_id, [parameters.scene_id])
            return
        chapters = await services.novels.chapters(user_id, parameters.novel_id)
        if parameters.chapter_id not in {chapter.chapter_id for chapter in chapters}:
            raise ChapterNotFound

    def resource(self, parameters: GenerateSceneParameters, services: Services) -> str | None:
        """The AI profile."""
        return ai_resource(parameters.ai_config_id, services)

    async def execute(self, parameters: GenerateSceneParameters, ctx: TaskContext) -> GenerateSceneResult:
        """Write the scene from its summary as it is now; with `auto_apply`, store the text in the novel."""
        version = 0

        async def generate() -> Draft | None:
            nonlocal version
            title, summary = "", parameters.summary or ""
            if parameters.scene_id is not None:
                scene = await ctx.scenes.get(ctx.user_id, parameters.scene_id)
                title, summary, version = scene.title, scene.summary, scene.version
                if not parameters.overwrite_existing and (scene.content.strip() or not has_words(summary)):
                    return None
            await ctx.progress(percentage=10, message="Writing")
            completion = await ctx.ai.write_scene(
                summary,
                title=title,
                style=parameters.style,
                target_words=parameters.target_words,
                profile=parameters.ai_config_id,
                before_call=ctx.ready,
                on_usage=ctx.add_usage,
            )
            await ctx.progress(percentage=90, message="Storing")
            return Draft.of(completion, version, most_bytes=CONTENT_BYTES)

        async def apply(draft: Draft) -> Applied:
            return await _store(parameters, draft.text, ctx, ctx.task_id, ctx.user_id, draft.scene_version)

        written = await generate_and_apply(ctx, generate=generate, apply=apply, auto_apply=parameters.auto_apply)
        if written is None:
            return GenerateSceneResult(
                scene_id=parameters.scene_id,
                content=None,
                word_count=0,
                scene_version=version,
                applied=False,
                conflict=False,
                skipped=True,
                provider=None,
                model=None,
            )
        return GenerateSceneResult(
            scene_id=written.applied.scene_id if written.applied else parameters.scene_id,
            content=written.draft.text,
            word_count=word_count(written.draft.text),
            scene_version=written.applied.version if written.applied else written.draft.scene_version,
            applied=written.applied is not None,
            conflict=written.conflict,
            skipped=False,
            provider=written.draft.provider,
            model=written.draft.model,
        )

    async def apply(
        self, task_id: str, user_id: str, parameters: GenerateSceneParameters, result: GenerateSceneResult, services: Services, *, force: bool
    ) -> Applied:
        """Write the text into its scene, or make the new scene."""
        if result.content is None:
            raise ApplyRefused("The scene was skipped: there is no text to apply.", code="nothing_to_apply")
        try:
            return await _store(parameters, result.content, services, task_id, user_id, None if force else result.scene_version)
        except (SceneNotFound, NovelNotFound, ChapterNotFound) as exc:
            raise ApplyRefused("The place for this scene does not exist any more.", code="target_gone") from exc


async def _store(
    parameters: GenerateSceneParameters, text: str, services: Services | TaskContext, task_id: str, user_id: str, expected_version: int | None
) -> Applied:
    if parameters.scene_id is not None:
        done = await services.scenes.apply_text(user_id, parameters.scene_id, field="content", text=text, expected_version=expected_version, task_id=task_id)
    else:
        done = await services.scenes.create_from_task(
            user_id, parameters.novel_id, parameters.chapter_id or "", task_id=task_id, content=text, summary=parameters.summary or ""
        )
    return Applied(done.scene_id, done.version, done.already)
