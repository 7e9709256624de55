"""What can be done with tasks, once for all edges: submit, cancel, requeue, apply, delete. Views, console and commands call these and present the answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from ainoval import moments, mongo
from ainoval.ai.apps import configured_profiles
from ainoval.ai.profiles import Profiles
from ainoval.ai.service import AIService
from ainoval.ids import derived_id, new_id
from ainoval.logs import get_logger
from ainoval.novels.service import NovelService, SceneService
from tasks_app import families, lifecycle, maintenance, queries, registry, states, tally
from tasks_app.conf import task_settings
from tasks_app.documents import LANES, SINGLE_LANE, TASKS, new_task
from tasks_app.errors import ApplyRefused, IdempotencyConflict, InvalidParameters, InvalidTransition, RequeueTheParent
from tasks_app.executable import Services, TaskModel
from tasks_app.fairness import FairShares
from tasks_app.intake import MakeTask, intake
from tasks_app.states import TaskStatus

Json = dict[str, Any]

CANCEL_ROUNDS = 3
CANCEL_GROUP = 500

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A stored task; `replayed` when an earlier submission with the same Idempotency-Key had stored it."""

    task_id: str
    replayed: bool = False


_services: tuple[AsyncDatabase[Json], Profiles, Services] | None = None


def services() -> Services:
    """Return the domain as the edges may use it (no AI is called here: profiles are looked up, that is all)."""
    global _services
    db, profiles = mongo.database(), configured_profiles()
    # Each submission asks. By identity: the clients of two loops are equal to each other.
    if _services is None or _services[0] is not db or _services[1] is not profiles:
        _services = (db, profiles, Services(NovelService(db), SceneService(db), AIService(profiles)))
    return _services[2]


# --- submit ---


def validate(executable: registry.AnyExecutable, parameters: Mapping[str, Any]) -> TaskModel:
    """Return parameters as their model: by their names on the wire, each of the type that the JSON Schema says.

    Raises:
        InvalidParameters: With one entry a field.
    """
    try:
        # As JSON: there a list is what fills a tuple, and a string a moment or an enumeration, also where nothing else is converted.
        return executable.Parameters.model_validate_json(to_json(parameters), strict=True, by_alias=True, by_name=False)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidParameters([{"field": ".".join(map(str, e["loc"])) or "body", "message": e["msg"].removeprefix("Value error, ")} for e in found]) from None


async def submit(user_id: str, task_type: str, parameters: Mapping[str, Any], *, idempotency_key: str | None = None) -> Submitted:
    """Store a task, QUEUED: one acknowledged, journaled insert.

    Args:
        user_id: Whose task it will be.
        task_type: As stored, or in lower kebab case.
        parameters: By their names on the wire; validated here.
        idempotency_key: A repeat with the same key, type and parameters answers with the first one's id.

    Raises:
        UnknownTaskType, InvalidParameters: Nothing was stored.
        NovelNotFound, SceneNotFound: What the task is about is missing, or somebody else's.
        IdempotencyConflict: The key was used for something else.
        RateLimited, QueueFull: With `retry_after` seconds.
    """
    db = mongo.database()
    executable = registry.resolve(task_type)
    model = validate(executable, parameters)
    stored = model.model_dump(mode="json", by_alias=True)
    fingerprint = _fingerprint(executable.task_type, stored) if idempotency_key else None
    # The key makes the id, so the unique index on ids is what keeps it from being used twice.
    task_id = derived_id("idempotency", user_id, idempotency_key) if idempotency_key else new_id()
    if idempotency_key and (replay := await _replay(db, task_id, fingerprint)):
        return replay
    available = services()
    await executable.check(model, user_id, available)
    make = _maker(task_id, user_id, executable, stored, executable.resource(model, available), idempotency_key, fingerprint)
    try:
        await intake(db).store(user_id, make)
    except DuplicateKeyError:
        # Two requests with one key at once; or an insert was repeated whose reply was lost.
        if idempotency_key and (replay := await _replay(db, task_id, fingerprint)):
            return replay
        if not idempotency_key:
            return Submitted(task_id)
        raise
    log.info("task_submitted", task_id=task_id, task_type=executable.task_type, user_id=user_id, attempt=0, worker=None)
    return Submitted(task_id)


async def submit_many(user_id: str, task_type: str, parameters: Sequence[Mapping[str, Any]]) -> list[Submitted]:
    """Store many tasks of one type; all of them, or none if one cannot be accepted.

    Args:
        parameters: Those of each task, in the order of the answer.

    Raises:
        UnknownTaskType, InvalidParameters, NovelNotFound, SceneNotFound, RateLimited, QueueFull: Nothing was stored.
    """
    db = mongo.database()
    executable = registry.resolve(task_type)
    available = services()
    ids: list[str] = []
    makes: list[MakeTask] = []
    for each in parameters:
        model = validate(executable, each)
        await executable.check(model, user_id, available)
        ids.append(new_id())
        makes.append(_maker(ids[-1], user_id, executable, model.model_dump(mode="json", by_alias=True), executable.resource(model, available)))
    if makes:
        await intake(db).store_all(user_id, makes)
        log.info("tasks_submitted", count=len(ids), task_type=executable.task_type, user_id=user_id)
    return [Submitted(task_id) for task_id in ids]


def _maker(
    task_id: str,
    user_id: str,
    executable: registry.AnyExecutable,
    stored: Json,
    resource: str | None,
    idempotency_key: str | None = None,
    fingerprint: str | None = None,
) -> MakeTask:
    return lambda fair_key, now: new_task(
        task_id=task_id,
        user_id=user_id,
        task_type=executable.task_type,
        parameters=stored,
        now=now,
        fair_key=fair_key,
        priority=executable.priority,
        max_attempts=executable.retry.max_attempts,
        resource=resource,
        idempotency_key=idempotency_key,
        submission=fingerprint,
    )


def _fingerprint(task_type: str, parameters: Json) -> str:
    return hashlib.sha256(json.dumps([task_type, parameters], sort_keys=True).encode()).hexdigest()


async def _replay(db: AsyncDatabase[Json], task_id: str, fingerprint: str | None) -> Submitted | None:
    known = await db[TASKS].find_one({"_id": task_id}, {"submission": 1})
    if known is None:
        return None
    if known.get("submission") != fingerprint:
        raise IdempotencyConflict
    return Submitted(task_id, replayed=True)


# --- cancel ---


def _scope(task_id: str, user_id: str | None) -> Json:
    return {"_id": task_id} if user_id is None else {"_id": task_id, "userId": user_id}


async def cancel(task_id: str, *, user_id: str | None) -> Json:
    """Ask for a task's cancellation: a waiting one is CANCELLED at once, a running one CANCELLING until its worker has stopped it.

    Args:
        user_id: Whose it must be; None for staff and operators.

    Returns:
        The task's document afterwards.

    Raises:
        TaskNotFound: No such task of this user.
        InvalidTransition: It has ended (`already_ended`).
    """
    db = mongo.database()
    scope = _scope(task_id, user_id)
    for _ in range(CANCEL_ROUNDS):  # between two looks it may be claimed, released or promoted
        waiting = lifecycle.cancel_waiting(scope, retention_seconds=task_settings().retention_seconds)
        at_once = await lifecycle.execute(db, waiting)
        changed = at_once or await lifecycle.execute(db, lifecycle.request_cancel(scope))
        task = await queries.get(task_id, user_id=user_id)
        if at_once:
            await tally.record(db, tally.alike(tally.kinds_of([task]), TaskStatus.CANCELLED, at_most=1))
        if changed:
            log.info("task_cancel_requested", task_id=task_id, task_type=task["taskType"], user_id=task["userId"], status=task["status"])
        if _may_have_children(task):
            await (families.end_with_parents(db, [task_id]) if TaskStatus(task["status"]).is_terminal else families.cancel_children(db, task_id))
        if changed or task["status"] == TaskStatus.CANCELLING.value:
            return task
        if TaskStatus(task["status"]).is_terminal:
            break
    raise InvalidTransition(f"The task has ended already ({task['status']}).", code="already_ended")


def _may_have_children(task: Json) -> bool:
    """Whether children of this task, whose cancellation is on record, may work while it holds no lease itself: it awaits them, or waits to plant again."""
    if task["status"] == TaskStatus.CANCELLING.value:
        return bool(task.get("children")) and "lease" not in task
    return task["status"] == TaskStatus.CANCELLED.value and task["lane"] == SINGLE_LANE and bool(task["attempts"])


async def cancel_all_of(user_id: str) -> int:
    """Cancel every unfinished task of a user who was removed or made inactive; return how many."""
    return await _cancel_many({"userId": user_id})


async def cancel_all_about(user_id: str, novel_id: str, scene_ids: list[str]) -> int:
    """Cancel a user's unfinished tasks about a novel that is being deleted; return how many."""
    about = {"$or": [{"parameters.novelId": novel_id}, {"parameters.sceneId": {"$in": scene_ids}}]}
    return await _cancel_many({"userId": user_id, **about})


async def _cancel_many(of: Json) -> int:
    query: Json = {**of, "lane": {"$in": LANES}, "status": {"$in": sorted(states.starts_from("cancel"))}}
    count = 0
    for _ in range(CANCEL_ROUNDS):  # one that is promoted or released meanwhile moves in the index to where the search has been
        found = await _cancel_found(query)
        count += found
        if not found:
            break
    if count:
        log.info("tasks_cancel_requested", user_id=of["userId"], count=count)
    return count


async def _cancel_found(query: Json) -> int:
    count = 0
    # A batch is cancelled with its tasks, and what a type that is not known here may have planted is not known either.
    plain = {name for name in registry.known_types() if not registry.fans_out(name)}
    group: list[str] = []
    async for task in mongo.database()[TASKS].find(query, {"taskType": 1}, hint="user_created", batch_size=CANCEL_GROUP):
        if task["taskType"] in plain:
            group.append(task["_id"])
            if len(group) == CANCEL_GROUP:
                count += await _cancel_group(group)
                group = []
            continue
        try:
            await cancel(task["_id"], user_id=None)
            count += 1
        except InvalidTransition:
            pass  # it ended meanwhile
    return count + (await _cancel_group(group) if group else 0)


async def _cancel_group(task_ids: list[str]) -> int:
    db, scope = mongo.database(), {"_id": {"$in": task_ids}}
    kinds = await tally.kinds(db, {**scope, "status": {"$in": sorted(states.WAITING)}}, hint="_id_")
    at_once = await lifecycle.execute(db, lifecycle.cancel_waiting(scope, retention_seconds=task_settings().retention_seconds))
    if at_once:
        await tally.record(db, tally.alike(kinds, TaskStatus.CANCELLED, at_most=at_once))
    return at_once + await lifecycle.execute(db, lifecycle.request_cancel(scope))


# --- requeue ---


async def requeue(task_id: str, *, user_id: str | None, parameters: Mapping[str, Any] | None = None) -> Json:
    """Send a failed, interrupted, cancelled or partly failed task back to the queue. Of twenty at once, one wins.

    Args:
        user_id: Whose it must be; None for staff and operators.
        parameters: Edited ones (staff); None keeps the stored.

    Returns:
        The task's document afterwards.

    Raises:
        TaskNotFound: No such task of this user.
        RequeueTheParent: It is a child of a batch.
        InvalidTransition: Its state does not allow it (`not_requeueable`).
        InvalidParameters: The edited parameters do not fit.
    """
    db = mongo.database()
    task = await queries.get(task_id, user_id=user_id)
    if task.get("parentId"):
        raise RequeueTheParent(details={"parentId": task["parentId"]})
    if TaskStatus(task["status"]) not in states.REQUEUEABLE:
        raise InvalidTransition(f"A task that is {task['status']} cannot be run again.", code="not_requeueable")
    executable = registry.get(task["taskType"])
    edited: Json | None = None
    extra: Json = {"maxAttempts": executable.retry.max_attempts}
    if parameters is not None:
        available = services()
        model = validate(executable, parameters)
        await executable.check(model, task["userId"], available)
        edited = model.model_dump(mode="json", by_alias=True)
        extra["resource"] = {"$literal": executable.resource(model, available)}
    key = (await FairShares(db).keys(task["userId"], 1)).fair_key
    scope = _scope(task_id, user_id)
    if not await lifecycle.execute(db, lifecycle.requeue(scope, fair_key=key, parameters=edited, extra=extra)):
        now = await queries.get(task_id, user_id=user_id)
        raise InvalidTransition(f"A task that is {now['status']} cannot be run again.", code="not_requeueable")
    if executable.fans_out:
        await lifecycle.execute(db, lifecycle.keep_children(task_id))
    log.info("task_requeued", task_id=task_id, task_type=task["taskType"], user_id=task["userId"], attempt=0)
    return await queries.get(task_id, user_id=user_id)


# --- delete ---


async def delete(task_id: str) -> int:
    """Delete an ended task with its children; return how many documents went.

    Raises:
        TaskNotFound: No such task.
        RequeueTheParent: It is a child: families are deleted whole.
        InvalidTransition: It has not ended, or is a batch of which some tasks have not (they are asked to end).
    """
    db = mongo.database()
    task = await queries.get(task_id, user_id=None)
    if task.get("parentId"):
        raise InvalidTransition("A task of a batch is deleted with its batch.", code="delete_the_parent")
    if TaskStatus(task["status"]).is_terminal:
        await _end_children(db, task_id)
    deleted = await maintenance.purge(db, [task_id])
    if not deleted:
        raise InvalidTransition(f"A task that is {task['status']} cannot be deleted: cancel it first.", code="not_ended")
    log.info("task_deleted", task_id=task_id, task_type=task["taskType"], user_id=task["userId"], documents=deleted)
    return deleted


async def _end_children(db: AsyncDatabase[Json], task_id: str) -> None:
    """See to it that nothing of an ended batch is left: without its parent nobody would end or delete such a child.

    Raises:
        InvalidTransition: Some of its children are still being stopped.
    """
    counts = await queries.children_counts(task_id)
    if counts is None or counts.ended == counts.total:
        return
    await families.end_with_parents(db, [task_id])
    counts = await queries.children_counts(task_id)
    if counts is not None and counts.ended < counts.total:
        raise InvalidTransition("Some tasks of this batch have not ended: delete it when they have.", code="children_not_ended")


# --- apply ---


@dataclass(frozen=True, slots=True)
class AppliedResult:
    """A result that is in the novel now."""

    task_id: str
    scene_id: str
    version: int
    applied_at: datetime


async def apply(task_id: str, *, user_id: str, force: bool = False) -> AppliedResult:
    """Write a completed task's result into the novel, once.

    Args:
        force: Override what was changed in the scene meanwhile.

    Raises:
        TaskNotFound: No such task of this user.
        ApplyRefused: `not_completed`, `already_applied`, `unreadable_result`, `target_gone`, `nothing_to_apply`, `not_applicable`.
        SceneChanged: The scene has another version (`expectedVersion`, `currentVersion`).
    """
    db = mongo.database()
    task = await queries.get(task_id, user_id=user_id)
    executable = registry.get(task["taskType"])
    if task["status"] != TaskStatus.COMPLETED.value:
        raise ApplyRefused(f"Only a completed task's result can be applied; this one is {task['status']}.", code="not_completed")
    if task.get("appliedAt"):
        raise ApplyRefused("The result is in the novel already.", code="already_applied")
    try:
        parameters = executable.Parameters.model_validate(task["parameters"])
        result = executable.Result.model_validate(task["result"])
    except ValidationError:  # stored by another version of the code, or by hand; its words would quote the writer's text
        raise ApplyRefused("The stored parameters or result do not fit this version of the task type.", code="unreadable_result") from None
    applied = await executable.apply(task_id, user_id, parameters, result, services(), force=force)
    now = moments.now()
    outcome = {"applied": True, "conflict": False, "sceneVersion": applied.version, "sceneId": applied.scene_id}
    if not await lifecycle.execute(db, lifecycle.mark_applied(task_id, now, outcome)):
        raise ApplyRefused("The result is in the novel already.", code="already_applied")  # another request was first
    log.info("task_applied", task_id=task_id, task_type=task["taskType"], user_id=user_id, scene_id=applied.scene_id)
    return AppliedResult(task_id, applied.scene_id, applied.version, now)
