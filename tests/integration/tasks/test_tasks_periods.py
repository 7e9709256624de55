"""What was counted, read again: by moment, by type, by profile."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from tasks_app import periods
from tasks_app.documents import PERIODS
from tasks_app.periods import DAY, HOUR, RANGES, WEEK
from tasks_app.states import TaskStatus
from tasks_app.tally import SPANS, Ending, Tally

Json = dict[str, Any]
Db = AsyncDatabase[Json]

NOW = datetime.now(UTC)


async def counted(db: Db, *endings: tuple[timedelta, Ending]) -> None:
    made = Tally(db)
    for ago, ending in endings:
        made.ending(ending, NOW - ago)
    await made.flush()


def completed(task_type: str = "A", resource: str | None = None, count: int = 1, run_seconds: float | None = None) -> Ending:
    return Ending(task_type, resource, TaskStatus.COMPLETED, count, run_seconds=run_seconds)


async def test_an_ending_is_in_the_period_of_its_moment_in_every_range(db: Db) -> None:
    await counted(db, (timedelta(minutes=50), completed()))
    for over in RANGES.values():
        [place] = [place for place, sums in enumerate(periods.digest(await periods.read(db, over, NOW), over, NOW).by_moment) if sums.ended == {"COMPLETED": 1}]
        start = over.start(NOW) + timedelta(minutes=place * over.span)
        assert start <= NOW - timedelta(minutes=50) < start + timedelta(minutes=over.span)


async def test_a_range_ends_with_the_present_period_and_leaves_out_what_is_older(db: Db) -> None:
    await counted(db, (timedelta(0), completed()), (timedelta(hours=23, minutes=20), completed(count=2)), (timedelta(hours=25), completed(count=5)))
    moments = periods.digest(await periods.read(db, DAY, NOW), DAY, NOW).by_moment
    assert len(moments) == DAY.count
    assert moments[-1].ended == {"COMPLETED": 1}
    assert sum(sums.ended.total() for sums in moments) == 3


async def test_one_pass_sums_by_type_by_moment_and_by_trend(db: Db) -> None:
    await counted(db, (timedelta(minutes=1), completed("A", run_seconds=2.0)), (timedelta(minutes=5), completed("B", count=3)))
    stored = await periods.read(db, HOUR, NOW)
    whole = periods.digest(stored, HOUR, NOW)
    assert {name: sums.ended.total() for name, sums in whole.by_type.items()} == {"A": 1, "B": 3}
    assert sum(sums.ended.total() for sums in whole.by_moment) == 4
    assert sum(counts["COMPLETED"] for counts in whole.trends["B"]) == 3
    only = periods.digest(stored, HOUR, NOW, task_type="A")
    assert sum(sums.ended.total() for sums in only.by_moment) == 1
    assert only.by_type["A"].run_quantile(0.95) is not None


async def test_profiles_are_summed_over_their_types_since_a_moment(db: Db) -> None:
    await counted(
        db,
        (timedelta(minutes=1), completed("A", "ai:default")),
        (timedelta(minutes=2), completed("B", "ai:default")),
        (timedelta(minutes=40), completed("B", "ai:default")),
        (timedelta(minutes=1), completed("C")),
    )
    stored = await periods.read(db, HOUR, NOW)
    found = periods.by_resource(stored, since=NOW - timedelta(minutes=15))
    assert {name: sums.ended.total() for name, sums in found.items()} == {"ai:default": 2}
    assert periods.total(stored, since=NOW - timedelta(minutes=15)).ended.total() == 3


async def test_waits_and_durations_can_be_left_unread(db: Db) -> None:
    await counted(db, (timedelta(0), completed(run_seconds=4.0)))
    [light] = await periods.read(db, HOUR, NOW, periods.WITHOUT_TIMES)
    assert "run" not in light and light["ended"] == {"COMPLETED": 1}


async def test_what_is_too_old_to_be_kept_is_not_written(db: Db) -> None:
    await counted(db, (timedelta(hours=5), completed()))
    assert sorted([period["span"] async for period in db[PERIODS].find({})]) == [DAY.span, WEEK.span]


async def test_periods_are_read_by_their_index(db: Db) -> None:
    query = {"span": DAY.span, "start": {"$gte": DAY.start(NOW)}}
    plan = str(await db.command({"explain": {"find": PERIODS, "filter": query}, "verbosity": "queryPlanner"}))
    assert "'indexName': 'span_start'" in plan and "COLLSCAN" not in plan


def test_every_range_is_made_of_periods_that_are_counted() -> None:
    assert [over.span for over in RANGES.values()] == list(SPANS)
    assert [over.span * over.count for over in RANGES.values()] == [60, 24 * 60, 7 * 24 * 60]


def test_a_day_is_made_of_whole_periods() -> None:
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    assert periods.period_start(midnight, DAY.span) == midnight
    assert periods.period_start(midnight - timedelta(seconds=1), DAY.span) == midnight - timedelta(minutes=DAY.span)
