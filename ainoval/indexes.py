"""All indexes of the project's collections, made once: documents declare them, nothing creates them on the side."""

import asyncio
from typing import Any

from mongoengine import Document
from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo


def documents() -> list[type[Document]]:
    """Return every MongoEngine document whose indexes are ours to make."""
    from ainoval.novels.documents import Novel, Scene
    from tasks_app.documents import BackgroundTask, BulkAction, TaskPeriod, TaskUser, TaskWorker

    return [Novel, Scene, BackgroundTask, TaskUser, TaskWorker, TaskPeriod, BulkAction]


async def ensure_task_indexes(db: AsyncDatabase[dict[str, Any]]) -> None:
    """Create the indexes when a worker finds that nobody has: its searches name them, and would fail without."""
    from tasks_app.documents import TASKS, BackgroundTask

    wanted = {spec["name"] for spec in BackgroundTask._meta["index_specs"]}
    if wanted - set(await db[TASKS].index_information()):
        await asyncio.to_thread(ensure_indexes)


def ensure_indexes() -> dict[str, list[str]]:
    """Create what is missing; return the names of each collection's indexes, as the server has them now."""
    database = mongo.sync_database()
    found = {}
    for document in documents():
        document.ensure_indexes()
        name = document._get_collection_name()
        found[name] = sorted(database[name].index_information()) if name in database.list_collection_names() else []
    packages = database["django_q_packages"]
    packages.create_index([("queue", 1), ("dueAt", 1)], name="due")
    return found | {"django_q_packages": sorted(packages.index_information())}
