"""Acts and chapters as a writer gives them, turned into what is stored."""

from collections.abc import Iterable, Sequence
from typing import Any

from ainoval.ids import new_id
from ainoval.novels import limits
from ainoval.novels.errors import BadNovel
from ainoval.novels.views import ActInput


def structure(acts: Sequence[ActInput], *, existing: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the acts to store: titles checked, ids kept where they name something that exists, made where there is none.

    Args:
        existing: The acts stored now.

    Raises:
        BadNovel: unknown_act, unknown_chapter, duplicate_id, too_many_acts, too_many_chapters, or a bad title.
    """
    if len(acts) > limits.ACTS:
        raise BadNovel(f"A novel has at most {limits.ACTS:,} acts.", code="too_many_acts", details={"limit": limits.ACTS}, field="acts")
    if sum(len(act.chapters) for act in acts) > limits.CHAPTERS:
        message = f"A novel has at most {limits.CHAPTERS:,} chapters."
        raise BadNovel(message, code="too_many_chapters", details={"limit": limits.CHAPTERS}, field="acts")
    act_ids = _Ids({act["actId"] for act in existing}, "unknown_act", "act")
    ids_of_chapters = _Ids(set(_chapter_ids(existing)), "unknown_chapter", "chapter")
    return [
        {
            "actId": act_ids.take(act.act_id, f"acts.{place}.actId"),
            "title": limits.checked_title(act.title, f"acts.{place}.title"),
            "chapters": [
                {
                    "chapterId": ids_of_chapters.take(chapter.chapter_id, f"acts.{place}.chapters.{number}.chapterId"),
                    "title": limits.checked_title(chapter.title, f"acts.{place}.chapters.{number}.title"),
                }
                for number, chapter in enumerate(act.chapters)
            ],
        }
        for place, act in enumerate(acts)
    ]


def removed_chapters(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> set[str]:
    """Return the ids of the stored chapters that are no longer in a novel."""
    return set(_chapter_ids(old)) - set(_chapter_ids(new))


def _chapter_ids(acts: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (chapter["chapterId"] for act in acts for chapter in act["chapters"])


class _Ids:
    """Hands out each existing id once, and new ids."""

    def __init__(self, existing: set[str], unknown_code: str, noun: str) -> None:
        self._existing = existing
        self._taken: set[str] = set()
        self._unknown_code = unknown_code
        self._noun = noun

    def take(self, given: str | None, field: str) -> str:
        if given is None:
            return new_id()
        if given in self._taken:
            raise BadNovel(f"The same {self._noun} is listed twice.", code="duplicate_id", field=field)
        if given not in self._existing:
            raise BadNovel(f"The novel has no such {self._noun}; leave out the id to make a new one.", code=self._unknown_code, field=field)
        self._taken.add(given)
        return given
