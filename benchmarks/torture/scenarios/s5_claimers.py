"""S5: sixteen claimers at once on ten thousand due tasks among a hundred thousand ended ones; then past fifty users at their limit."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ainoval import mongo
from ainoval.ids import new_id
from benchmarks import seeding
from benchmarks.torture.claiming import Account, claim_alone, claim_at_once
from benchmarks.torture.scenario import Control, Play, Scenario
from tasks_app.documents import TASKS, new_task

Json = dict[str, Any]

LIMIT = 7
GROUPS_EACH = 12
USERS = 200
USERS_AT_LIMIT = 50
USERS_BEHIND = 100


@dataclass(frozen=True, slots=True)
class Size:
    """Ended tasks, due ones, claimers, and how many of those must have won something; keys that all together may examine for each task that is claimed; tasks
    of users at their limit in front of the others, and those behind.

    All begin together, but on two cores one may be beaten at every turn, and with few tasks some come when all is gone.
    """

    ended: int
    due: int
    claimers: int
    winners: int
    keys: float
    in_front: int
    behind: int = 20


def due(rng: random.Random, number: int, users: list[str], first_key: float, **fields: Any) -> Iterator[Json]:
    """Yield queued tasks of these users in turn, with rising keys."""
    now = datetime.now(UTC) - timedelta(seconds=60)
    for index in range(number):
        yield (
            new_task(
                task_id=new_id(),
                user_id=users[index % len(users)],
                task_type="GENERATE_SUMMARY",
                parameters={"sceneId": new_id(), "instructions": "x" * rng.randint(0, 200)},
                now=now,
                fair_key=first_key + index / len(users),
                priority=0,
                max_attempts=5,
            )
            | fields
        )


def at_limit(users: list[str]) -> Iterator[Json]:
    """Yield the running tasks of users who may have no more."""
    lease = {"owner": "somebody", "token": "other", "expiresAt": datetime.now(UTC) + timedelta(hours=1)}
    for number in range(LIMIT):
        yield from due(random.Random(number), len(users), users, 0.0, status="RUNNING", attempt=1, lease=lease)


async def play(on: Play) -> None:
    """Fill, claim by all at once, count; then the same with most of the queue at its limit."""
    size, line = on.size, on.line
    most = max(size.due // (GROUPS_EACH * size.claimers), 2)
    tasks = mongo.database()[TASKS]
    users = [f"user-{number:03d}" for number in range(USERS)]
    account = Account()
    try:
        counts = seeding.shares(size.ended, USERS, size.ended // 10)
        await seeding.fill(each for source in (seeding.ended_tasks(users, counts), due(on.rng, size.due, users, 1.0)) for each in source)
        account.begin()
        won_alone = await claim_alone(size.due // 5)
        line.at_most("keys_per_task", account.end().keys / won_alone, 2.0)
        account.begin()
        won = await claim_at_once(size.claimers, on.line.seed, most)
        cost = account.end()
        taken = Counter(task for each in won for task, _ in each)
        winners = {"status": {"$ne": "QUEUED"}, "lease.owner": {"$regex": "^claimer:[0-9]"}}
        stored = [task async for task in tasks.find(winners, {"attempt": 1, "lease.token": 1})]
        tokens = {(task, token) for each in won for task, token in each}
        line.none("double_claims", [task for task, times in taken.items() if times > 1] + [task["_id"] for task in stored if task["attempt"] != 1])
        line.none("claims_not_stored", tokens ^ {(task["_id"], task["lease"]["token"]) for task in stored})
        line.none("left", [task["_id"] async for task in tasks.find({"status": "QUEUED"}, {"_id": 1})])
        line.at_most("keys_per_task_of_all_at_once", cost.keys / max(len(taken), 1), size.keys)  # with those that another was faster to claim
        line.at_most("conflicts_per_task", cost.conflicts / max(len(taken), 1), 0.5)
        line.did("claimers", len(won), size.claimers)
        line.did("winners", sum(bool(each) for each in won), size.winners)
        line.did("claimed", len(taken) + won_alone, size.due)
        line.did("searches", cost.searches)

        await tasks.delete_many({})
        full, others = users[:USERS_AT_LIMIT], users[USERS_AT_LIMIT : USERS_AT_LIMIT + USERS_BEHIND]
        behind = size.behind * len(others)
        await seeding.fill(
            each for source in (at_limit(full), due(on.rng, size.in_front, full, 1.0), due(on.rng, behind, others, 1_000_000.0)) for each in source
        )
        account.begin()
        won_alone = await claim_alone(LIMIT * USERS_BEHIND // 2, per_user=LIMIT)
        line.at_most("keys_per_task_past_the_limited", account.end().keys / won_alone, 5.0)
        await claim_at_once(size.claimers, on.line.seed, most, per_user=LIMIT)
        running = Counter([task["userId"] async for task in tasks.find({"status": "RUNNING"}, {"userId": 1})])
        room = min(LIMIT, size.behind) * len(others)
        claimed = sum(running[user] for user in others)
        line.at_most("most_of_a_user", max(running.values()), LIMIT)
        line.at_least("claimed_past_the_limited", claimed, room)
        line.did("in_front", size.in_front, size.in_front)
    finally:
        account.close()


S5 = Scenario(
    "S5",
    "sixteen claimers on 10,000 due tasks among 100,000 ended ones",
    {
        "test": Size(2_000, 400, 4, 2, 4.0, 800),
        "quick": Size(10_000, 2_000, 16, 12, 4.0, 4_000),
        "full": Size(100_000, 10_000, 16, 12, 2.0, 20_000),
        "nightly": Size(500_000, 50_000, 32, 24, 2.0, 100_000),
    },
    play,
    Control("claim_condition", ("double_claims",)),
)
