"""Whose novel it is. Asked anew by every call, because an answer from a moment ago may be about a deleted novel.

Scenes carry no author of their own: two copies of a fact can disagree, and the question costs one read by primary key.
"""

import re
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.documents import NOVELS, SCENES
from ainoval.novels.errors import NovelNotFound, SceneNotFound

_ID = re.compile(r"[0-9a-f]{24}")


def is_id(value: str) -> bool:
    """Say whether this could be an id of ours. What could not is not sent to MongoDB, which refuses lone surrogates with an error of its own."""
    return _ID.fullmatch(value) is not None


async def own_novel(db: AsyncDatabase[dict[str, Any]], author_id: str, novel_id: str, *fields: str) -> dict[str, Any]:
    """Return the author's novel, with these stored fields only if any are named.

    Raises:
        NovelNotFound: It does not exist, or belongs to somebody else.
    """
    if is_id(novel_id):
        projection = dict.fromkeys(fields or ("_id",), 1)
        novel = await db[NOVELS].find_one({"_id": novel_id, "author": author_id}, projection)
        if novel is not None:
            return novel
    raise NovelNotFound


async def own_scene(db: AsyncDatabase[dict[str, Any]], author_id: str, scene_id: str, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the author's scene without its history (which can be megabytes) and without the other named fields.

    Raises:
        SceneNotFound: It or its novel does not exist, or belongs to somebody else.
    """
    if is_id(scene_id):
        stages: list[dict[str, Any]] = [
            {"$match": {"_id": scene_id}},
            {"$project": dict.fromkeys(("history", *without), 0)},
            # The scene with its novel by one command: submissions and tasks ask this all the time.
            {"$lookup": {"from": NOVELS, "localField": "novelId", "foreignField": "_id", "pipeline": [{"$project": {"author": 1}}], "as": "novel"}},
            {"$match": {"novel.author": author_id}},
            {"$unset": "novel"},
        ]
        found = await (await db[SCENES].aggregate(stages)).to_list(1)
        if found:
            return found[0]
    raise SceneNotFound
