"""Writing it all down: bulk inserts, with the counts of what ended."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase

from ainoval import mongo
from ainoval.accounts.models import User
from ainoval.ai.apps import configured_profiles
from ainoval.development.seeding.batches import OF_CHILDREN, SIZES, Batch, Batches
from ainoval.development.seeding.library import Writer, library
from ainoval.development.seeding.live import CLUSTER, Live
from ainoval.development.seeding.lives import SCENE, SUMMARY, Lives
from ainoval.development.seeding.plan import Plan
from ainoval.novels.documents import NOVELS, SCENES
from tasks_app.conf import task_settings
from tasks_app.documents import TASKS, WORKERS
from tasks_app.tally import Tally

Json = dict[str, Any]

GROUP: Final = 5_000
BEAT: Final = [{"$set": {"heartbeatAt": "$$NOW"}}]


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was stored.

    Attributes:
        running: How many tasks hold a lease; by type in `running_by_type`.
    """

    tasks: int
    batches: int
    novels: int
    scenes: int
    running: int
    running_by_type: dict[str, int]


async def holds_tasks(db: AsyncDatabase[Json]) -> bool:
    """Whether there are tasks that seeding would be mixed with."""
    return await db[TASKS].find_one({}, {"_id": 1}) is not None


async def seed(db: AsyncDatabase[Json], plan: Plan, owners: list[User], told: Callable[[int], None]) -> Seeded:
    """Fill a database.

    Args:
        owners: The writers, the one with the largest share first.
        told: Hears how many tasks are stored, now and then.
    """
    rng = random.Random(plan.seed)  # noqa: S311 - data to look at
    writers, novels, scenes = await _store_library(db, rng, owners, plan)
    tally = Tally(db)
    lives = Lives(rng, plan.now, sorted(configured_profiles(), key=lambda name: name != "default"), tally)
    batches = Batches(lives)
    live = Live(lives, batches, plan, writers, task_settings().max_running_per_user)
    unfinished = list(live.tasks())
    stored = 0
    async for group in _stored_in_groups(db, _all(plan, lives, batches, writers, unfinished)):
        stored += group
        await tally.flush()
        told(stored)
    await tally.flush()
    await db[WORKERS].insert_many(live.workers())
    return Seeded(stored, plan.parents, novels, scenes, sum(live.held), dict(live.by_type))


async def beat(db: AsyncDatabase[Json]) -> int:
    """Let the seeded workers report once more, as living ones do every two seconds; return how many there are."""
    return (await db[WORKERS].update_many({"cluster": CLUSTER}, BEAT)).matched_count


async def _store_library(db: AsyncDatabase[Json], rng: random.Random, owners: list[User], plan: Plan) -> tuple[list[Writer], int, int]:
    writers: list[Writer] = []
    novel_count = scene_count = 0
    for writer, novels, scenes in library(rng, owners, plan.now):
        writers.append(writer)
        await db.get_collection(NOVELS, write_concern=mongo.HINT).insert_many(novels)
        await db.get_collection(SCENES, write_concern=mongo.HINT).insert_many(scenes)
        novel_count += len(novels)
        scene_count += len(scenes)
    return writers, novel_count, scene_count


def _all(plan: Plan, lives: Lives, batches: Batches, writers: list[Writer], unfinished: list[Json]) -> Iterator[Json]:
    """Yield every task, nearly in the order in which they ended: neighbours in time are neighbours on disk, as in a system that has grown."""
    rng, shares = lives.rng, plan.shares()
    wanted = plan.tasks - len(unfinished)
    ended_parents = plan.parents - plan.unfinished_parents
    sizes = [rng.randint(*SIZES) for _ in range(ended_parents)]
    singles = max(wanted - ended_parents - sum(sizes), 0)
    batch_moments = plan.moments(rng, ended_parents)
    waiting_batches = list(zip(batch_moments, sizes, strict=True))
    place = 0
    for moment in plan.moments(rng, singles):
        while place < len(waiting_batches) and waiting_batches[place][0] <= moment:
            yield from _batch(batches, rng.choices(writers, cum_weights=shares)[0], *waiting_batches[place])
            place += 1
        yield lives.ended(rng.choices(writers, cum_weights=shares)[0], SUMMARY if rng.random() < 0.7 else SCENE, moment)
    for ended_at, size in waiting_batches[place:]:
        yield from _batch(batches, rng.choices(writers, cum_weights=shares)[0], ended_at, size)
    yield from unfinished


def _batch(batches: Batches, writer: Writer, ended_at: Any, size: int) -> list[Json]:
    return batches.ended(Batch(writer, sorted(OF_CHILDREN)[ended_at.microsecond % 2], size, ended_at))


async def _stored_in_groups(db: AsyncDatabase[Json], tasks: Iterable[Json]) -> AsyncIterator[int]:
    """Store tasks while the next ones are made; yield how many each group had."""
    collection = db.get_collection(TASKS, write_concern=mongo.HINT)
    under_way: asyncio.Task[Any] | None = None
    group: list[Json] = []
    for task in tasks:
        group.append(task)
        if len(group) == GROUP:
            if under_way is not None:
                await under_way
            under_way = asyncio.create_task(collection.insert_many(group, ordered=False))
            await asyncio.sleep(0)  # let it be sent: the server stores it while the next group is made
            yield len(group)
            group = []
    if under_way is not None:
        await under_way
    if group:
        await collection.insert_many(group, ordered=False)
        yield len(group)
