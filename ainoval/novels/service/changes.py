"""A change of a scene as a value: the one pipeline update that every write of a title, a content or a summary is.

The old text is taken from the document by the server, not sent by us, so the history is right also when nobody knows the version being replaced
(force). Strings that begin with `$` are field paths to a pipeline, so every text of a user is wrapped in `$literal`.
"""

from collections.abc import Mapping
from typing import Any

from ainoval.novels.limits import HISTORY_BYTES, HISTORY_ENTRIES
from ainoval.novels.words import word_count

KEPT_IN_HISTORY = ("content", "summary")


def change(fields: Mapping[str, str], *, task_id: str | None = None) -> list[dict[str, Any]]:
    """Return the update that gives a scene these texts: new values, word count, version + 1 and the old texts in the history.

    Args:
        fields: Any of `title`, `content`, `summary`, already checked.
        task_id: The task that makes the change; None when it is the writer.
    """
    new: dict[str, Any] = {field: {"$literal": text} for field, text in fields.items()}
    if "content" in fields:
        new["wordCount"] = word_count(fields["content"])
    entries = [_entry(field, task_id) for field in KEPT_IN_HISTORY if field in fields]
    if entries:
        new["history"] = _bounded({"$concatArrays": [{"$ifNull": ["$history", []]}, entries]})
    # One stage: every expression in it sees the document as it was before.
    return [{"$set": {**new, "version": {"$add": ["$version", 1]}, "updatedAt": "$$NOW"}}]


def _entry(field: str, task_id: str | None) -> dict[str, Any]:
    return {
        "text": {"$ifNull": [f"${field}", ""]},
        "field": {"$literal": field},
        "version": "$version",
        "taskId": {"$literal": task_id},
        "at": "$$NOW",
    }


def _bounded(history: dict[str, Any]) -> dict[str, Any]:
    """Keep the newest entries, as many as both limits allow.

    The newest is always kept (a text is smaller than the limit): it is what tells a repeated call of the same task that it was already executed.
    """
    newest_first = {"$reverseArray": {"$slice": [history, -HISTORY_ENTRIES]}}
    total = {"$add": ["$$value.bytes", {"$strLenBytes": {"$ifNull": ["$$this.text", ""]}}]}
    keep = {
        "bytes": "$$total",
        "kept": {
            "$cond": [{"$lte": ["$$total", HISTORY_BYTES]}, {"$concatArrays": ["$$value.kept", ["$$this"]]}, "$$value.kept"],
        },
    }
    reduced = {
        "$reduce": {
            "input": newest_first,
            "initialValue": {"bytes": 0, "kept": []},
            "in": {"$let": {"vars": {"total": total}, "in": keep}},
        }
    }
    return {"$let": {"vars": {"reduced": reduced}, "in": {"$reverseArray": "$$reduced.kept"}}}
