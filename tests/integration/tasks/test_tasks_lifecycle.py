"""Every transition against a real MongoDB: what it sets and clears, and that a wrong state or a stale token changes nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks_app import lifecycle, states
from tasks_app.documents import TASKS, BackgroundTask
from tasks_app.lifecycle import Transition
from tasks_app.states import TaskStatus
from tests.support import stored
from tests.support.stored import Db, Json, change, in_state, read

S = TaskStatus

# Each transition as somebody who holds the task would send it.
BY_NAME: dict[str, Callable[[Json], Transition]] = {
    "claim": lambda d: lifecycle.claim([d["_id"]], owner="w", token="fresh", lease_seconds=30),
    "complete": stored.complete,
    "fail": stored.fail,
    "retry": stored.retry,
    "release": stored.release,
    "hand_back": lambda d: lifecycle.hand_back([d["_id"]], stored.record(d).token, delay_seconds=0.1),
    "confirm_cancel": stored.confirm_cancel,
    "cancel_unrun": lambda d: lifecycle.cancel_unrun([d["_id"]], stored.record(d).token, retention_seconds=60),
    "cancel_waiting": lambda d: lifecycle.cancel_waiting({"_id": d["_id"]}, retention_seconds=1),
    "request_cancel": lambda d: lifecycle.request_cancel({"_id": d["_id"]}),
    "requeue": lambda d: lifecycle.requeue({"_id": d["_id"]}, fair_key=1.0),
    "promote": lambda d: lifecycle.promote(),
    "recover": lambda d: stored.recover({"_id": d["_id"]}),
}
STARTS: dict[str, frozenset[TaskStatus]] = {
    **{name: states.starts_from(name) for name in ("claim", "complete", "fail", "retry", "release", "confirm_cancel", "cancel_unrun", "requeue")},
    "hand_back": states.starts_from("release"),
    "cancel_waiting": states.WAITING,
    "request_cancel": frozenset({S.RUNNING}),
    "promote": frozenset({S.RETRYING}),
    "recover": states.LEASED,
}
WRONG = [(name, status) for name, starts in sorted(STARTS.items()) for status in S if status not in starts]
FENCED = ["complete", "fail", "retry", "release", "confirm_cancel"]


@pytest.mark.parametrize(("name", "status"), WRONG, ids=[f"{name}-{status}" for name, status in WRONG])
async def test_a_transition_from_a_wrong_state_changes_nothing(db: Db, name: str, status: TaskStatus) -> None:
    before = await in_state(db, status)
    # Everything else about the task would allow it: it is due, its lease has run out.
    await db[TASKS].update_one({"_id": before["_id"]}, {"$set": {"availableAt": datetime(2020, 1, 1, tzinfo=UTC)}})
    if "lease" in before and name == "recover":
        pytest.fail("recover starts from every state with a lease")
    before = await read(db, before["_id"])

    assert await change(db, BY_NAME[name](before)) == 0

    assert await read(db, before["_id"]) == before


@pytest.mark.parametrize("name", sorted(STARTS))
def test_a_transition_starts_where_the_table_says_that_its_name_may_start(name: str) -> None:
    transition = BY_NAME[name]({"_id": "t", "attempt": 1, "startedAt": None, "lease": {"token": "x"}})
    status = transition.filter["status"]
    assert set(status["$in"] if isinstance(status, dict) else [status]) <= states.starts_from(transition.name)


@pytest.mark.parametrize("name", FENCED)
async def test_a_write_with_a_stale_token_changes_nothing(db: Db, name: str) -> None:
    start = sorted(STARTS[name])[0]
    before = await in_state(db, start)

    assert await change(db, BY_NAME[name](before | {"lease": {"token": "of an earlier attempt"}})) == 0

    assert await read(db, before["_id"]) == before


@pytest.mark.parametrize("name", ["report_progress", "save_draft", "await_children", "hand_back", "cancel_unrun"])
async def test_a_fenced_write_that_keeps_or_returns_the_task_needs_the_token_too(db: Db, name: str) -> None:
    before = await stored.running(db)
    task_id, stale = before["_id"], "stale"
    transition = {
        "report_progress": lifecycle.report_progress(task_id, stale, {"percentage": 5}, stored.now()),
        "save_draft": lifecycle.save_draft(task_id, stale, {"text": "words"}),
        "await_children": lifecycle.await_children(task_id, stored.record(before, token=stale), total=3),
        "hand_back": lifecycle.hand_back([task_id], stale, delay_seconds=0),
        "cancel_unrun": lifecycle.cancel_unrun([task_id], stale, retention_seconds=60),
    }[name]

    assert await change(db, transition) == 0

    assert await read(db, task_id) == before


async def test_claim_takes_a_queued_task_under_a_fresh_lease(db: Db) -> None:
    queued = await stored.queued(db)

    assert await change(db, lifecycle.claim([queued["_id"]], owner="host:1", token="t", lease_seconds=30)) == 1

    task = await read(db, queued["_id"])
    assert (task["status"], task["attempt"]) == (S.RUNNING, 1)
    assert (task["lease"]["owner"], task["lease"]["token"]) == ("host:1", "t")
    assert task["lease"]["expiresAt"] - task["startedAt"] == timedelta(seconds=30)
    assert task["startedAt"] == task["updatedAt"] > queued["updatedAt"]
    assert task["createdAt"] == queued["createdAt"]


async def test_claim_of_a_group_takes_only_those_that_are_still_queued(db: Db) -> None:
    first, taken, second = await stored.queued(db), await stored.running(db), await stored.queued(db)

    ids = [first["_id"], taken["_id"], second["_id"]]
    assert await change(db, lifecycle.claim(ids, owner="host:1", token="t", lease_seconds=30)) == 2

    assert await read(db, taken["_id"]) == taken


async def test_complete_stores_the_result_and_clears_what_the_attempts_left(db: Db) -> None:
    task = await stored.running(db, crashCount=1, errorInfo={"code": "old"}, draft={"text": "t"})
    record = stored.record(task, prompt_tokens=7, completion_tokens=5)
    expires = stored.now() + timedelta(days=1)

    done = lifecycle.complete(
        task["_id"], record, result={"words": 3}, progress={"percentage": 40, "message": "m", "current": 2, "total": 5}, expire_at=expires
    )
    assert await change(db, done) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["result"], after["crashCount"]) == (S.COMPLETED, {"words": 3}, 0)
    assert after["progress"] == {"percentage": 100, "message": "m", "current": 2, "total": 5}
    assert after["completedAt"] == after["updatedAt"] == record.ended_at
    assert after["expireAt"] == expires
    assert after["usage"] == {"promptTokens": 7, "completionTokens": 5}
    assert not {"lease", "errorInfo", "draft", "draftToken", "wait"} & set(after)
    [entry] = after["attempts"]
    assert (entry["attempt"], entry["outcome"], entry["token"], entry["worker"]) == (1, "completed", record.token, stored.OWNER)
    assert entry["usage"] == {"promptTokens": 7, "completionTokens": 5}
    assert "error" not in entry


async def test_complete_repeated_after_a_lost_reply_counts_nothing_twice(db: Db) -> None:
    task = await stored.running(db)
    done = lifecycle.complete(task["_id"], stored.record(task, prompt_tokens=7, completion_tokens=5), result={}, progress={}, expire_at=None)

    assert [await change(db, done), await change(db, done)] == [1, 0]

    after = await read(db, task["_id"])
    assert (after["usage"]["promptTokens"], len(after["attempts"])) == (7, 1)


async def test_a_result_that_was_there_when_the_cancellation_came_counts(db: Db) -> None:
    task = await stored.cancelling(db)

    assert await change(db, stored.complete(task)) == 1

    assert (await read(db, task["_id"]))["status"] == S.COMPLETED


async def test_fail_stores_the_error_for_the_user_and_the_traceback_for_staff(db: Db) -> None:
    task = await stored.running(db, attempt=2, crashCount=1)

    assert await change(db, stored.fail(task)) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["crashCount"]) == (S.FAILED, 0)
    assert after["errorInfo"] == {"code": "it_broke", "message": "It broke.", "details": {"part": "left"}, "retryable": True, "retryCount": 2}
    assert after["completedAt"] is not None
    assert after["expireAt"] is not None
    assert not {"lease", "wait"} & set(after)
    assert after["attempts"][0]["outcome"] == "failed"
    assert after["attempts"][0]["error"]["traceback"] == "Traceback: it broke"


async def test_retry_waits_until_the_given_moment_and_keeps_the_attempt_counted(db: Db) -> None:
    task = await stored.running(db, crashCount=1)
    transition = stored.retry(task, delay=60)

    assert await change(db, transition) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["attempt"], after["crashCount"]) == (S.RETRYING, 1, 0)
    assert after["wait"] == {"code": "backoff", "message": "It broke."}
    assert after["availableAt"] > stored.now() + timedelta(seconds=50)
    assert after["errorInfo"]["code"] == "it_broke"
    assert after["completedAt"] is None
    assert not {"lease", "expireAt"} & set(after)
    assert after["attempts"][0]["outcome"] == "retry"


async def test_a_wait_that_is_somebody_elses_wish_hands_the_attempt_back(db: Db) -> None:
    task = await stored.running(db)

    assert await change(db, stored.retry(task, burns_attempt=False, waited=12.5)) == 1

    after = await read(db, task["_id"])
    assert (after["attempt"], after["waitedSeconds"], after["status"]) == (0, 12.5, S.RETRYING)


async def test_promote_queues_only_what_is_due(db: Db) -> None:
    due, later = await in_state(db, S.RETRYING), await in_state(db, S.RETRYING)
    await db[TASKS].update_one({"_id": due["_id"]}, {"$set": {"availableAt": stored.now() - timedelta(milliseconds=5)}})

    assert await change(db, lifecycle.promote()) == 1

    promoted = await read(db, due["_id"])
    assert promoted["status"] == S.QUEUED
    assert "wait" not in promoted
    assert (promoted["attempt"], promoted["fairKey"], promoted["errorInfo"]) == (1, due["fairKey"], due["errorInfo"])
    assert await read(db, later["_id"]) == later


async def test_release_costs_no_attempt_and_keeps_place_and_losses(db: Db) -> None:
    task = await stored.running(db, crashCount=1)

    assert await change(db, stored.release(task)) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["attempt"], after["crashCount"], after["fairKey"]) == (S.QUEUED, 0, 1, task["fairKey"])
    assert "lease" not in after
    assert after["attempts"][0]["outcome"] == "released"


async def test_hand_back_leaves_no_trace_but_a_short_delay(db: Db) -> None:
    queued = await stored.queued(db)
    task = await stored.claimed(db, queued)

    assert await change(db, lifecycle.hand_back([task["_id"]], task["lease"]["token"], delay_seconds=5)) == 1

    after = await read(db, task["_id"])
    changed = {name for name in after if after[name] != queued.get(name)}
    assert changed == {"availableAt", "updatedAt", "startedAt"}
    assert after["availableAt"] > stored.now() + timedelta(seconds=3)


async def test_a_child_is_cancelled_unrun_whether_or_not_somebody_asked(db: Db) -> None:
    running, cancelling = await stored.running(db, parent_id="p"), await stored.cancelling(db, parent_id="p")

    for task in (running, cancelling):
        assert await change(db, lifecycle.cancel_unrun([task["_id"]], task["lease"]["token"], retention_seconds=60)) == 1

    for task in (running, cancelling):
        after = await read(db, task["_id"])
        assert (after["status"], after["attempt"], after["attempts"]) == (S.CANCELLED, 0, [])
        assert after["completedAt"] is not None
        assert after["cancelRequestedAt"] is not None
        assert "lease" not in after


async def test_confirm_cancel_ends_a_cancelling_task(db: Db) -> None:
    task = await stored.cancelling(db)

    assert await change(db, stored.confirm_cancel(task)) == 1

    after = await read(db, task["_id"])
    assert after["status"] == S.CANCELLED
    assert after["cancelRequestedAt"] == task["cancelRequestedAt"]
    assert after["completedAt"] is not None
    assert after["attempts"][0]["outcome"] == "cancelled"
    assert "lease" not in after


@pytest.mark.parametrize("name", ["fail", "retry", "release"])
async def test_cancelling_never_ends_failed_retrying_or_released(db: Db, name: str) -> None:
    task = await stored.cancelling(db)

    assert await change(db, BY_NAME[name](task)) == 0

    assert await read(db, task["_id"]) == task


@pytest.mark.parametrize("status", [S.QUEUED, S.RETRYING])
async def test_a_waiting_task_is_cancelled_at_once(db: Db, status: TaskStatus) -> None:
    task = await in_state(db, status)

    assert await change(db, lifecycle.cancel_waiting({"_id": task["_id"]}, retention_seconds=100)) == 1

    after = await read(db, task["_id"])
    assert after["status"] == S.CANCELLED
    assert after["cancelRequestedAt"] == after["completedAt"] == after["updatedAt"]
    assert after["expireAt"] - after["completedAt"] == timedelta(seconds=100)
    assert "wait" not in after


async def test_a_cancelled_child_is_kept_as_long_as_its_parent(db: Db) -> None:
    child = await stored.queued(db, parent_id="p")

    await change(db, lifecycle.cancel_waiting({"_id": child["_id"]}, retention_seconds=100))

    assert "expireAt" not in await read(db, child["_id"])


async def test_a_running_task_is_asked_to_stop_and_keeps_its_lease(db: Db) -> None:
    task = await stored.running(db)

    assert await change(db, lifecycle.request_cancel({"_id": task["_id"]})) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["lease"]) == (S.CANCELLING, task["lease"])
    assert after["cancelRequestedAt"] == after["updatedAt"]


@pytest.mark.parametrize("status", sorted(states.REQUEUEABLE))
async def test_requeue_makes_a_task_as_new_and_keeps_its_history(db: Db, status: TaskStatus) -> None:
    task = await in_state(db, status, draft={"text": "kept"}, waitedSeconds=9.0)

    assert await change(db, lifecycle.requeue({"_id": task["_id"]}, fair_key=77.0, extra={"maxAttempts": 9})) == 1

    after = await read(db, task["_id"])
    assert (after["status"], after["attempt"], after["crashCount"], after["waitedSeconds"]) == (S.QUEUED, 0, 0, 0.0)
    assert after["progress"] == lifecycle.NO_PROGRESS
    assert after["completedAt"] is None
    assert (after["fairKey"], after["maxAttempts"], after["generation"]) == (77.0, 9, 1)
    assert after["availableAt"] == after["updatedAt"] > task["availableAt"]
    assert not {"result", "errorInfo", "expireAt", "cancelRequestedAt", "children", "lease", "wait"} & set(after)
    assert (after["attempts"], after["createdAt"], after["parameters"]) == (task["attempts"], task["createdAt"], task["parameters"])
    assert after["draft"] == {"text": "kept"}


async def test_requeue_with_other_parameters_takes_them_literally_and_drops_the_draft(db: Db) -> None:
    task = await in_state(db, S.FAILED, draft={"text": "of the old parameters"}, draftToken="t")
    edited = {"tag": "$status", "nested": {"$add": ["$attempt", 1]}}

    assert await change(db, lifecycle.requeue({"_id": task["_id"]}, fair_key=1.0, parameters=edited, priority=3)) == 1

    after = await read(db, task["_id"])
    assert (after["parameters"], after["priority"]) == (edited, 3)
    assert not {"draft", "draftToken"} & after.keys()


@pytest.mark.parametrize("outcome", ["completed", "lost"])
async def test_the_history_of_attempts_keeps_the_last_twenty(db: Db, outcome: str) -> None:
    old = [{"attempt": n, "outcome": "retry"} for n in range(20)]
    task = await stored.running(db, attempts=old, lease_seconds=-1)

    assert await change(db, stored.complete(task) if outcome == "completed" else stored.recover()) == 1

    attempts = (await read(db, task["_id"]))["attempts"]
    assert [entry["outcome"] for entry in attempts] == ["retry"] * 19 + [outcome]
    assert attempts[0]["attempt"] == 1


async def test_progress_changes_updated_at_and_renewal_does_not(db: Db) -> None:
    task = await stored.running(db)
    moment = stored.now() + timedelta(seconds=3)

    assert await change(db, lifecycle.renew(stored.OWNER, [task["lease"]["token"]], lease_seconds=500)) == 1
    renewed = await read(db, task["_id"])
    assert await change(db, lifecycle.report_progress(task["_id"], task["lease"]["token"], {"percentage": 5}, moment)) == 1
    reported = await read(db, task["_id"])

    assert renewed["lease"]["expiresAt"] > task["lease"]["expiresAt"] + timedelta(seconds=400)
    assert renewed["updatedAt"] == task["updatedAt"]
    assert (reported["progress"], reported["updatedAt"]) == ({"percentage": 5}, moment)


async def test_renew_extends_only_the_owners_tokens_also_after_they_ran_out(db: Db) -> None:
    expired, foreign = await stored.running(db, lease_seconds=-5), await stored.running(db, owner="somebody else")

    tokens = [expired["lease"]["token"], foreign["lease"]["token"]]
    assert await change(db, lifecycle.renew(stored.OWNER, tokens, lease_seconds=30)) == 1

    assert (await read(db, expired["_id"]))["lease"]["expiresAt"] > stored.now()
    assert await read(db, foreign["_id"]) == foreign


async def test_a_draft_carries_the_token_of_the_attempt_that_saved_it(db: Db) -> None:
    task = await stored.running(db)

    assert await change(db, lifecycle.save_draft(task["_id"], task["lease"]["token"], {"text": "words"})) == 1

    assert (await read(db, task["_id"])).items() >= {"draft": {"text": "words"}, "draftToken": task["lease"]["token"]}.items()


async def test_applied_at_is_the_first_moment(db: Db) -> None:
    task = await in_state(db, S.COMPLETED)
    first, second = stored.now(), stored.now() + timedelta(seconds=9)

    changed = [await change(db, lifecycle.mark_applied(task["_id"], moment, {"applied": True})) for moment in (first, second)]

    after = await read(db, task["_id"])
    assert changed == [1, 0]
    assert (after["appliedAt"], after["result"]) == (first, {"answer": 42, "applied": True})
    assert after["updatedAt"] == first, "with the result"


async def test_applied_at_alone_does_not_change_updated_at(db: Db) -> None:
    task = await stored.running(db)

    assert await change(db, lifecycle.mark_applied(task["_id"], stored.now() + timedelta(seconds=3), {})) == 1

    assert (await read(db, task["_id"]))["updatedAt"] == task["updatedAt"]


@pytest.mark.parametrize("status", sorted(S))
async def test_a_task_in_any_state_is_what_the_document_declares(db: Db, status: TaskStatus) -> None:
    task = await in_state(db, status)

    document = BackgroundTask._from_son(task)
    document.validate()

    declared = {field.db_field for field in BackgroundTask._fields.values()}
    assert set(task) <= declared


def test_a_new_task_is_what_the_document_declares() -> None:
    made: Any = stored.task(resource="ai:default", parent_id="p", generation=2, idempotency_key="k", submission="s")

    BackgroundTask._from_son(made).validate()

    declared = {field.db_field for field in BackgroundTask._fields.values()}
    later = {"lease", "result", "errorInfo", "children", "draft", "draftToken", "cancelRequestedAt", "usage", "appliedAt", "expireAt", "wait", "bulkActions"}
    assert set(made) == declared - later
