"""What the task types that write text for a scene have in common: generate, keep the draft, apply it once, and meet a writer's own edit."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ainoval.ai.completion import Completion
from ainoval.ai.errors import AIError, AIErrorCode
from ainoval.novels.errors import SceneChanged
from tasks_app.executable import Applied, Services, TaskContext

ROUNDS = 2  # a scene that changed meanwhile is worked on once more; then its writer decides


def ai_resource(profile: str | None, services: Services) -> str:
    """Return the resource name of an AI profile: its concurrency is limited over all task types and workers."""
    return f"ai:{services.ai.profiles.resolve(profile).name}"


@dataclass(frozen=True, slots=True)
class Draft:
    """Text that was generated, and the version of the scene it was made from."""

    text: str
    scene_version: int
    provider: str
    model: str

    @classmethod
    def of(cls, completion: Completion, scene_version: int, *, most_bytes: int) -> "Draft":
        """Return a completion as a draft.

        Args:
            most_bytes: What the place for it in the scene holds. Found out only when the draft is applied, it would be in the way of every later attempt.

        Raises:
            AIError: It is larger; a model that rambles may do better the next time.
        """
        size = len(completion.text.encode())
        if size > most_bytes:
            raise AIError(f"The AI wrote {size:,} bytes, and the scene has room for {most_bytes:,}.", code=AIErrorCode.BAD_RESPONSE)
        return cls(completion.text, scene_version, completion.provider, completion.model)

    @classmethod
    def stored(cls, document: dict[str, Any] | None) -> "Draft | None":
        """Return what `save` stored."""
        if document is None:
            return None
        return cls(document["text"], document["sceneVersion"], document["provider"], document["model"])

    async def save(self, ctx: TaskContext) -> None:
        """Store it on the task: from here on no attempt calls the AI for this text again."""
        await ctx.save_draft({"text": self.text, "sceneVersion": self.scene_version, "provider": self.provider, "model": self.model})


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it: `applied` is None when the scene changed twice while it was worked on, or when nothing was to be applied."""

    draft: Draft
    applied: Applied | None
    conflict: bool = False


async def generate_and_apply(
    ctx: TaskContext,
    *,
    generate: Callable[[], Awaitable[Draft | None]],
    apply: Callable[[Draft], Awaitable[Applied]],
    auto_apply: bool,
) -> Written | None:
    """Generate text and, with `auto_apply`, write it into the novel.

    Args:
        generate: Reads the scene as it is now and calls the AI; None says that there is nothing to do (any more).
        apply: One conditional write; raises SceneChanged when the scene is not what the draft was made from.

    Returns:
        None when `generate` found nothing to do.
    """
    draft = Draft.stored(ctx.draft)
    for _ in range(ROUNDS):
        if draft is None:
            draft = await generate()
            if draft is None or not auto_apply:
                return None if draft is None else Written(draft, None)
            await draft.save(ctx)
        to_apply = draft

        async def effect(to_apply: Draft = to_apply) -> Applied:
            applied = await apply(to_apply)
            await ctx.applied()
            return applied

        try:
            return Written(draft, await ctx.effect(effect))
        except SceneChanged:
            ctx.log.info("scene_changed_meanwhile")
            last, draft = draft, None
    return Written(last, None, conflict=True)
