"""The pure parts of the task core, tested with values."""

import random
import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel

from ainoval import index_check, logs
from ainoval.env import Environment, read_environment
from ainoval.errors import WorkError
from ainoval.novels.errors import SceneNotFound
from tasks_app import checks, registry
from tasks_app.documents import TASKS, BackgroundTask
from tasks_app.errors import PermanentFailure, RetryLater, UnknownTaskType
from tasks_app.executable import NoParameters, TaskExecutable
from tasks_app.families import child_id
from tasks_app.lifecycle import AttemptRecord, fail
from tasks_app.outcomes import Decision, ErrorRecord, Fail, Retry, decide
from tasks_app.retry import RetryPolicy
from tasks_app.states import REQUEUEABLE, TERMINAL, TRANSITIONS, TaskStatus
from tasks_app.worker.limits import Limits, Live
from tasks_app.worker.outbox import Verdict, verdict_of
from tests.support.registered import registered

DOCS = Path(__file__).resolve().parents[2] / "docs"
POLICY = RetryPolicy(max_attempts=3, first_delay=timedelta(seconds=2), max_delay=timedelta(seconds=5))


def test_the_picture_of_the_lifecycle_shows_every_transition_and_no_other() -> None:
    arrows = re.findall(r"^ +(\w+) --> (\w+): (\w+)$", (DOCS / "lifecycle.md").read_text(), re.MULTILINE)
    drawn = {(name, source, target) for source, target, name in arrows}
    declared = {(name, source.value, target.value) for name, ways in TRANSITIONS.items() for source, targets in ways.items() for target in targets}
    assert drawn == declared


def test_there_are_nine_indexes_and_each_is_described() -> None:
    first, others = (DOCS / "indexes.md").read_text().split("## Other collections")
    declared = {spec["name"] for spec in BackgroundTask._meta["index_specs"]} | {"_id_"}
    assert set(re.findall(r"^\| `(\w+)` \|", first, re.MULTILINE)) == declared
    assert len(declared) <= 9
    rows = re.findall(r"^\| (?:`(\w+)` )?\| `(\w+)` \|", others, re.MULTILINE)
    collections = accumulate((collection for collection, _ in rows), lambda last, collection: collection or last)
    described = list(zip(collections, (name for _, name in rows), strict=True))
    assert sorted(described) == sorted((name, index.name) for name, found in index_check.declared().items() for index in found if name != TASKS)


def test_the_statuses_are_those_of_the_contract_and_ended_ones_are_left_only_by_requeue() -> None:
    assert {status.value for status in TaskStatus} == {
        "QUEUED", "RUNNING", "RETRYING", "CANCELLING", "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELLED", "INTERRUPTED",
    }  # fmt: skip
    leaving = {name for name, ways in TRANSITIONS.items() for source in ways if source in TERMINAL}
    assert leaving == {"requeue"}
    assert frozenset(TRANSITIONS["requeue"]) == REQUEUEABLE


def test_the_bound_of_the_backoff_doubles_up_to_its_limit_and_the_delay_lies_below() -> None:
    assert [POLICY.bound(attempt) for attempt in (1, 2, 3, 1_000)] == [2.0, 4.0, 5.0, 5.0]
    delays = [POLICY.delay(2, random.Random(seed)) for seed in range(200)]
    assert 0.0 <= min(delays) < 1.0 < 3.0 < max(delays) <= 4.0


def test_delays_in_bare_seconds_are_refused_in_words() -> None:
    with pytest.raises(TypeError, match="timedeltas, not numbers"):
        RetryPolicy(first_delay=5, max_delay=60)  # type: ignore[arg-type]


def decided(error: BaseException, attempt: int = 1, waited: float = 0.0) -> Decision:
    return decide(error, attempt=attempt, policy=POLICY, waited_seconds=waited, max_wait_seconds=3600.0, rng=random.Random(1))


def test_an_unexpected_error_is_retried_until_the_attempts_are_used_up_and_keeps_its_text_for_staff() -> None:
    again = decided(RuntimeError("the key is sk-123"), attempt=2)
    assert isinstance(again, Retry)
    assert again.burns_attempt
    assert "sk-123" not in again.error.message
    assert "sk-123" in (again.error.traceback or "")
    assert isinstance(decided(RuntimeError(), attempt=3), Fail)


@pytest.mark.parametrize("error", [PermanentFailure("no"), SceneNotFound(), WorkError("no", retryable=False)])
def test_what_another_attempt_cannot_mend_fails_at_once(error: Exception) -> None:
    assert isinstance(decided(error), Fail)


def test_a_wait_that_somebody_asks_for_uses_no_attempt_is_capped_and_is_bounded_in_total() -> None:
    later = decided(RetryLater(timedelta(minutes=5)), attempt=3)
    assert isinstance(later, Retry)
    assert not later.burns_attempt
    assert 300.0 <= later.delay <= 330.0
    assert isinstance(decided(RetryLater(timedelta(minutes=5)), waited=3500.0), Fail)
    capped = decide(RetryLater(timedelta(days=3)), attempt=1, policy=POLICY, waited_seconds=0, max_wait_seconds=86_400, rng=random.Random(1))
    assert isinstance(capped, Retry)
    assert capped.delay <= 3600 * 1.1


def test_a_wait_of_nothing_comes_to_its_end_too() -> None:
    waits, waited = 0, 0.0
    while isinstance(later := decided(RetryLater(timedelta()), waited=waited), Retry):
        waits, waited = waits + 1, waited + later.delay
        assert waits < 10_000, "it would go on without end"
    assert waits > 1_000


def test_details_that_are_not_kept_are_counted() -> None:
    details: dict[str, Any] = {f"number{n}": n for n in range(22)} | {"nested": {"a": 1}}
    kept = decided(PermanentFailure("no", details=details)).error.details
    assert kept == {f"number{n}": n for n in range(20)} | {"leftOut": 3}
    assert decided(PermanentFailure("no", details={"list": [1], "word": "x"})).error.details == {"word": "x", "leftOut": 1}


class First(TaskExecutable[NoParameters, NoParameters]):
    """One."""

    task_type = "UNIT_ONE"
    aliases = ("UNIT_OLD_NAME",)

    async def execute(self, parameters: NoParameters, ctx: Any) -> NoParameters:
        return NoParameters()


def test_a_type_is_found_by_its_stored_name_its_kebab_name_and_its_former_name() -> None:
    with registered(First):
        assert type(registry.resolve("unit-one")) is First
        assert type(registry.resolve("UNIT_ONE")) is First
        assert type(registry.get("UNIT_OLD_NAME")) is First
    for wrong in ("unit-one", "Unit-One", "unit_one", ""):
        with pytest.raises(UnknownTaskType):
            registry.resolve(wrong)


def test_a_second_class_under_one_name_stops_the_start() -> None:
    class Second(First):
        """Another."""

    with registered(First), pytest.raises(ImproperlyConfigured, match=r"UNIT_ONE is registered twice: .*test_core_values\.First and .*Second"):
        registry.register(Second)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"timeout": 30}, "timeout must be a timedelta"),
        ({"timeout": timedelta(0)}, "timeout must be a timedelta above zero"),
        ({"priority": 50}, "priority must be an integer from -10 to 10"),
        ({"aliases": "OLD"}, "aliases must be a tuple"),
        ({"aliases": ("old-name",)}, "UPPER_SNAKE_CASE, not 'old-name'"),
        ({"task_type": "Mixed_Case"}, "UPPER_SNAKE_CASE, not 'Mixed_Case'"),
        ({"task_type": 7}, "UPPER_SNAKE_CASE, not 7"),
        ({"retry": 3}, "retry must be a RetryPolicy, not 3"),
        ({"max_running": None}, "max_running must be an integer from 0, not None"),
        ({"execute": TaskExecutable.execute}, "has no execute()"),
        ({"execute": lambda self, parameters: None}, ".execute() must take self, parameters and ctx"),
        ({"check": lambda self, parameters, user_id, services: None}, ".check() must be `async def`"),
        ({"resource": TaskExecutable.check}, ".resource() must be `def`"),
    ],
)
def test_a_class_with_a_mistake_stops_the_start_and_is_not_registered(attributes: dict[str, Any], words: str) -> None:
    mistaken = type("Mistaken", (First,), {"task_type": "TEST_MISTAKEN", **attributes})

    with pytest.raises(ImproperlyConfigured, match=re.escape(words)):
        registry.register(mistaken)

    assert not {"TEST_MISTAKEN", "OLD", "O"} & set(registry.known_types())


def test_a_class_that_nobody_has_registered_is_warned_of() -> None:
    class Forgotten(First):
        task_type = "TEST_FORGOTTEN"

    with registered(First):
        found = [warning.msg for warning in checks.task_types_are_registered() if __name__ in warning.msg]
    assert f"{__name__}.{Forgotten.__qualname__} names a task type and is not registered" in found
    assert f"{__name__}.First names a task type and is not registered" not in found


class Plain(BaseModel):
    """Not a TaskModel."""


def test_models_of_another_base_and_a_missing_name_are_told_apart() -> None:
    class WithPlainModels(TaskExecutable[Plain, Plain]):  # type: ignore[type-var]
        task_type = "TEST_PLAIN"

    class WithoutName(TaskExecutable[NoParameters, NoParameters]):
        """As it is forgotten."""

    for mistaken, words in [(WithPlainModels, "both of them subclasses of TaskModel"), (WithoutName, "WithoutName has no task_type")]:
        with pytest.raises(ImproperlyConfigured, match=words):
            registry.register(mistaken)


def test_the_four_types_of_the_project_are_discovered() -> None:
    assert {"GENERATE_SUMMARY", "GENERATE_SCENE", "BATCH_GENERATE_SUMMARY", "BATCH_GENERATE_SCENE"} <= set(registry.known_types())


NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILING = fail("t", AttemptRecord(1, "mine", NOW, NOW, "w"), ErrorRecord("c", "m", {}, False), progress={}, expire_at=None)


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (None, Verdict.LOST),
        ({"status": "FAILED", "attempts": [{"token": "mine", "outcome": "failed"}]}, Verdict.WRITTEN),
        ({"status": "RUNNING", "lease": {"token": "mine"}, "attempts": []}, None),
        ({"status": "CANCELLING", "lease": {"token": "mine"}, "attempts": []}, Verdict.CANCELLING),
        ({"status": "RUNNING", "lease": {"token": "other"}, "attempts": []}, Verdict.LOST),
        ({"status": "RUNNING", "lease": {"token": "other"}, "attempts": [{"token": "mine", "outcome": "failed"}]}, Verdict.WRITTEN),
        ({"status": "QUEUED", "attempts": []}, Verdict.LOST),
        # A sweep that took the task away left the token too.
        ({"status": "QUEUED", "attempts": [{"token": "mine", "outcome": "lost"}]}, Verdict.LOST),
    ],
)
def test_a_write_is_told_apart_by_the_token_it_leaves(document: dict[str, Any] | None, verdict: Verdict | None) -> None:
    assert verdict_of(FAILING, document) is verdict


def test_what_is_over_a_limit_goes_back_the_last_first() -> None:
    limits = Limits(total=0, per_user=2, per_type={}, per_resource={})
    tasks = [{"_id": str(number), "userId": "alice", "taskType": "X"} for number in range(4)]
    live = Live()
    for task in tasks:
        live.add(task)
    assert [task["_id"] for task in limits.excess(tasks, live)] == ["3", "2"]
    assert live.users["alice"] == 2


def test_all_settings_have_defaults() -> None:
    env = read_environment({})
    assert (env.tasks_worker_concurrency, env.tasks_lease_seconds, env.tasks_max_running_per_user) == (200, 30, 20)
    assert read_environment({"TASKS_TYPE_LIMITS": "GENERATE_SCENE=50, GENERATE_SUMMARY=7"}).tasks_type_limits == {
        "GENERATE_SCENE": 50,
        "GENERATE_SUMMARY": 7,
    }


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TASKS_MAX_RUNING": "5"}, "unknown setting TASKS_MAX_RUNING"),
        ({"AINOVAL_PROT": "5"}, "unknown setting AINOVAL_PROT"),
        ({"TASKS_WORKERS": "many"}, "TASKS_WORKERS"),
        ({"TASKS_TYPE_LIMITS": "GENERATE_SCENE"}, "TASKS_TYPE_LIMITS"),
        ({"TASKS_LEASE_SECONDS": "1", "TASKS_PROGRESS_INTERVAL": "2"}, "TASKS_PROGRESS_INTERVAL must be shorter"),
        ({"MONGODB_URI": "mongodb://db/"}, "DJANGO_SECRET_KEY must be set"),
        ({"MONGODB_URI": "http://db/"}, "MONGODB_URI"),
        ({"JWT_SIGNING_KEY": "short"}, "32 bytes"),
        ({"TASKS_MAX_RUNNING": "5", "TASKS_MAX_RUNNING_PER_USER": "6"}, "TASKS_MAX_RUNNING_PER_USER"),
        ({"TASKS_TYPE_LIMITS": "GENERATE_SCENE=99999999999999999999"}, "TASKS_TYPE_LIMITS: "),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_line_that_names_it(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(words)):
        read_environment(environ)


NUMBERS = sorted(name.upper() for name, field in Environment.model_fields.items() if field.annotation in (int, float))


@pytest.mark.parametrize("value", ["99999999999999999999", "inf", "nan"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_could_not_be_worked_with_is_refused(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{name}: .*$"):
        read_environment({name: value})


def test_the_longest_retention_is_a_moment_that_a_calendar_knows() -> None:
    assert datetime.now(UTC) + timedelta(days=read_environment({"TASKS_RETENTION_DAYS": "36500"}).tasks_retention_days)
    with pytest.raises(ImproperlyConfigured, match=r"^TASKS_RETENTION_DAYS: .* 36500$"):
        read_environment({"TASKS_RETENTION_DAYS": "36501"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_URL", "hunter2://x"),
        ("DATABASE_URL", "hunter2:hunter2@host/name"),
        ("DATABASE_URL", "postgres://alice:hunter2@host:port/name"),
        ("DATABASE_URL", "postgres://alice:hunter2@host:99999/name"),
        ("DATABASE_URL", "postgres://alice:hunter2@host"),
        ("MONGODB_URI", "hunter2"),
        ("MONGODB_URI", "mongodb://"),
        ("MONGODB_URI", "mongodb://alice:hunter2@host:99999"),
        ("MONGODB_URI", "mongodb://alice:hunter2/@host"),
        ("MONGODB_URI", "mongodb://alice:hunter2@host1,host2/?directConnection=true"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"^{name}: .*$") as caught:
        read_environment({name: value, "DJANGO_DEBUG": "1"})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_an_address_that_can_be_used_is_taken_without_looking_for_it() -> None:
    for uri in ("mongodb://alice:p%2Fw@db1,db2:27018/?replicaSet=rs0", "mongodb+srv://alice:word@nowhere.invalid/?retryWrites=true"):
        assert read_environment({"MONGODB_URI": uri, "DJANGO_DEBUG": "1"}).mongodb_uri
    for url in ("sqlite://:memory:", "sqlite:////var/lib/db.sqlite3", "postgres://a:b%40c@h:5432/name", "postgresql:///?service=here"):
        assert read_environment({"DATABASE_URL": url}).database_url


def test_a_key_that_was_generated_on_this_host_does_not_do_for_a_cluster(tmp_path: Path) -> None:
    here = {"AINOVAL_DATA_DIR": str(tmp_path)}
    assert read_environment(here).secret_key()
    with pytest.raises(ImproperlyConfigured, match="DJANGO_SECRET_KEY must be set"):
        read_environment({"MONGODB_URI": "mongodb://db/", **here})


def test_a_secret_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    env = read_environment({"AINOVAL_DATA_DIR": str(tmp_path / "data")})
    key = env.secret_key()
    assert len(key) >= 50
    assert read_environment({"AINOVAL_DATA_DIR": str(tmp_path / "data")}).secret_key() == key
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600


async def test_a_log_line_says_that_it_was_written_on_a_loop() -> None:
    assert logs.where(None, "", {})["ran_on"] == "loop"


def test_a_log_line_says_in_which_thread_it_was_written() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="task") as pool:
        assert pool.submit(logs.where, None, "", {}).result()["ran_on"] == "thread:task_0"


def test_a_child_always_has_the_same_id() -> None:
    assert child_id("parent", "scene") == child_id("parent", "scene") != child_id("parent", "other")
