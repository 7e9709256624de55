"""Writers with novels for the scenarios that call an AI, and the scripted AI server as the place where calls are counted."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ainoval import mongo
from ainoval.novels.importing.outline import ParsedAct, ParsedChapter, ParsedNovel, ParsedScene
from ainoval.novels.service import NovelService
from tests.support.ai_server import AIControl

Json = dict[str, Any]


def provider(server: AIControl) -> dict[str, str]:
    """Return the settings of a worker that calls this server."""
    return {"AI_PROVIDER": "openai", "OPENAI_API_KEY": "sk-torture", "OPENAI_BASE_URL": server.url, "OPENAI_MODEL": "scripted"}


async def scenes(user: str, number: int, words: str = "") -> list[str]:
    """Store a novel of so many scenes; return their ids. The AI server knows each by its marker, `mark-<user>-<number>`."""
    parsed = tuple(ParsedScene(title="", content=f"mark-{user}-{index} {words} The tide turned, and nobody spoke.") for index in range(number))
    chapters = tuple(ParsedChapter(title=f"Chapter {start // 500 + 1}", scenes=parsed[start : start + 500]) for start in range(0, number, 500))
    imported = await NovelService(mongo.database()).import_novel(user, ParsedNovel(title="The Tide", acts=(ParsedAct(title="", chapters=chapters),)))
    return [doc["_id"] async for doc in mongo.database()["scenes"].find({"novelId": imported.novel_id}, {"_id": 1})]


def most_at_once(calls: Iterable[Json]) -> dict[str, int]:
    """Return the largest number of calls that were open at the same moment, for each user and for all (`*`)."""
    moments = []
    for call in calls:
        user = call["marker"].split("-")[1]
        moments += [(call["at"], 1, user), (call["endedAt"] or float("inf"), -1, user)]
    now: dict[str, int] = defaultdict(int)
    most: dict[str, int] = defaultdict(int)
    for _, step, user in sorted(moments, key=lambda moment: moment[:2]):
        for name in (user, "*"):
            now[name] += step
            most[name] = max(most[name], now[name])
    return dict(most)
