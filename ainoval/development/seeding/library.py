"""Writers with their novels and scenes: what the tasks work on."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ainoval.accounts.models import User
from ainoval.ids import new_id
from ainoval.novels.words import word_count

Json = dict[str, Any]

NOVELS_PER_USER: Final = 2
SCENES_PER_NOVEL: Final = (40, 120)
SCENES_PER_CHAPTER: Final = 8

_OF_TITLES: Final = (
    ("The Long", "The Last", "A Quiet", "The Glass", "The Salt", "A Winter", "The Paper", "The Second", "The Iron", "A Borrowed"),
    ("Rain", "Ferry", "Orchard", "Harbour", "Lantern", "Road", "Season", "Archive", "Tide", "Garden", "Signal", "Country"),
)
_CHINESE_TITLES: Final = (("雁回", "长堤", "北岸", "旧灯", "雨后", "青石", "渡口", "霜降"), ("站", "纪事", "的信", "人家", "之夜", "往事", "手记"))
_SCENES: Final = ("Arrival", "The letter", "At the mill", "Low water", "An offer", "The second key", "Nobody's dog", "Ashes", "The count", "Before dawn", "")
_CHINESE_SCENES: Final = ("到站", "来信", "磨坊", "退潮", "一个提议", "第二把钥匙", "黎明之前", "清点", "")
_TEXTS: Final = (
    "The rain had found the roof's one weak place and spoke through it all night. Mara moved the ledger, then the lamp, then herself. ",
    "Nobody on the ferry looked at the trunk. That was how he knew they had all seen it, and that each was waiting for another to ask. ",
    "By noon the road was a river of carts. She counted wheels instead of faces; wheels did not lie about where they were going. ",
)
_CHINESE_TEXT: Final = "雨下了一夜，站台上的灯一盏一盏灭了。他把信折好，又展开，最后放回口袋里。没有人问他在等谁。"


@dataclass(frozen=True, slots=True)
class Book:
    """A novel that tasks can be about."""

    novel_id: str
    chapter_ids: tuple[str, ...]
    scene_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """A user with novels."""

    user_id: str
    username: str
    books: tuple[Book, ...]


def username(rank: int) -> str:
    """Return the name of the writer with the rank-th largest share of the tasks, from 1."""
    return f"writer-{rank:03}"


def users(count: int) -> list[User]:
    """Make writers who cannot log in; those who are there already are taken as they are."""
    names = [username(rank) for rank in range(1, count + 1)]
    there = {user.username for user in User.objects.filter(username__in=names)}
    made = []
    for name in names:
        if name not in there:
            user = User(username=name)
            user.set_unusable_password()
            made.append(user)
    User.objects.bulk_create(made)
    by_name = {user.username: user for user in User.objects.filter(username__in=names)}
    return [by_name[name] for name in names]


def library(rng: random.Random, owners: list[User], now: datetime) -> Iterator[tuple[Writer, list[Json], list[Json]]]:
    """Yield each writer with the documents of their novels and scenes. Every fourth writer writes Chinese."""
    for place, owner in enumerate(owners):
        user_id, chinese = str(owner.pk), place % 4 == 3
        books, novels, scenes = [], [], []
        for _ in range(NOVELS_PER_USER):
            written_at = now - timedelta(days=rng.uniform(30, 300))
            count = rng.randint(*SCENES_PER_NOVEL)
            heading = "第{}章" if chinese else "Chapter {}"
            chapters = [{"chapterId": new_id(), "title": heading.format(number + 1)} for number in range(-(-count // SCENES_PER_CHAPTER))]
            novel: Json = {
                "_id": new_id(),
                "author": user_id,
                "title": "".join(rng.choice(part) for part in _CHINESE_TITLES) if chinese else " ".join(rng.choice(part) for part in _OF_TITLES),
                "acts": [{"actId": new_id(), "title": "", "chapters": chapters}],
                "createdAt": written_at,
                "updatedAt": written_at,
            }
            made = [_scene(rng, novel, chapters[place // SCENES_PER_CHAPTER]["chapterId"], place % SCENES_PER_CHAPTER + 1, chinese) for place in range(count)]
            novels.append(novel)
            scenes += made
            books.append(Book(novel["_id"], tuple(chapter["chapterId"] for chapter in chapters), tuple(scene["_id"] for scene in made)))
        yield Writer(user_id, owner.username, tuple(books)), novels, scenes


def _scene(rng: random.Random, novel: Json, chapter_id: str, sequence: int, chinese: bool) -> Json:
    content = (_CHINESE_TEXT if chinese else rng.choice(_TEXTS)) * rng.randint(3, 12)
    return {
        "_id": new_id(),
        "novelId": novel["_id"],
        "chapterId": chapter_id,
        "sequence": sequence,
        "title": rng.choice(_CHINESE_SCENES if chinese else _SCENES),
        "content": content,
        "summary": content[:120],
        "wordCount": word_count(content),
        "version": 1,
        "history": [],
        "createdAt": novel["createdAt"],
        "updatedAt": novel["updatedAt"],
    }
