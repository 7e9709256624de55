"""Summarise novels and show it: bars while it runs, then the summaries, then whether all of it is true."""

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ainoval.development.batch import Batch, Json, Outcome, follow, outcome, submit_summaries
from ainoval.development.client import Api
from ainoval.development.novels import Novel, Scene
from ainoval.development.screen import Screen


@dataclass(frozen=True, slots=True)
class Extract:
    """How many summaries of a novel are shown: of its first chapters, the first scenes; and where the rest is."""

    chapters: int
    scenes: int
    rest: str = ""


A_FEW = Extract(chapters=1, scenes=2)
SOME = Extract(chapters=6, scenes=3, rest="; --all shows them")
ALL = Extract(chapters=sys.maxsize, scenes=sys.maxsize)


def summarise(
    api: Api, novels: Sequence[Novel], screen: Screen, between: Callable[[], None], extract: Extract, *, seconds: float | None = None
) -> list[Outcome] | None:
    """Have the novels summarised, all at once, with progress; show the summaries and the counts.

    Args:
        between: Is called now and then while waiting.
        extract: Which summaries to show.
        seconds: At most so long.

    Returns:
        How each ended; None if time was up.
    """
    batches = [submit_summaries(api, novel) for novel in novels]
    with screen.board() as board:

        def show(batch: Batch, task: Json) -> None:
            counts = (task["children"] or {}).get("byStatus", {})
            note = (task["waitingReason"] or {}).get("message", "")
            board.show(batch.task_id, batch.novel.title, task["progress"]["percentage"], counts, note)

        if not follow(api, batches, show, between, seconds=seconds):
            return None
    outcomes = [outcome(api, batch) for batch in batches]
    for one in outcomes:
        _show(one, screen, extract)
    screen.line()
    for one in outcomes:
        _conclude(one, screen)
    return outcomes


def _show(one: Outcome, screen: Screen, extract: Extract) -> None:
    novel = one.batch.novel
    screen.heading(novel.title)
    by_chapter: dict[str, list[Scene]] = defaultdict(list)
    for scene in one.scenes:
        by_chapter[scene.chapter_id].append(scene)
    shown = 0
    for chapter in [chapter for chapter in novel.chapters if by_chapter[chapter.chapter_id]][: extract.chapters]:
        screen.line(f"  {chapter.title or 'Untitled chapter'}", "cyan")
        for scene in by_chapter[chapter.chapter_id][: extract.scenes]:
            screen.paragraph(str(scene.sequence), scene.summary or "(no summary)")
            shown += 1
    if shown < len(one.scenes):
        screen.line(f"  … and {len(one.scenes) - shown:,} more{extract.rest}", "dim")


def _conclude(one: Outcome, screen: Screen) -> None:
    novel, result = one.batch.novel, one.task["result"]
    if result:
        words = {
            "successCount": "summarised",
            "skippedCount": "skipped",
            "conflictCount": "in conflict",
            "failedCount": "failed",
            "cancelledCount": "cancelled",
        }
        counts = ", ".join(f"{result[name]:,} {word}" for name, word in words.items() if result[name])
        screen.line(f"{novel.title}: {result['totalScenes']:,} scenes in {len(novel.chapters):,} chapters: {counts or 'nothing to do'}.", "bold")
    for problem in one.problems:
        screen.problem(f"{novel.title}: {problem}")
