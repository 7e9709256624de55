"""From what was asked for to what is looked for: names of users, types, novels and scenes into the ids and stored names that tasks carry."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_noop
from pymongo.asynchronous.database import AsyncDatabase

from ainoval.novels.documents import NOVELS, SCENES
from tasks_app import registry, search
from tasks_app.admin import ages, people
from tasks_app.admin.filters import ListState
from tasks_app.admin.words import later
from tasks_app.documents import TASKS
from tasks_app.errors import UnknownTaskType
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus
from tasks_app.waiting import waiting_facts, waiting_query

Json = dict[str, Any]

MAX_SCENES: Final = 10_000
# Ages count from the last of these moments, so that what was counted a moment ago can be shown again.
_GRID_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a list shows: the selected tasks, or the problems that keep it from showing any."""

    selection: Selection
    problems: list[str | Promise] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """A state with its user looked up: users are in SQL, which no coroutine may ask."""

    state: ListState
    user_id: str | None
    problems: list[str | Promise]


def ask(state: ListState) -> Asked:
    """Look up the user of a state, and collect what cannot be understood."""
    user_id = people.find_user_id(state.user) if state.user else None
    problems: list[str | Promise] = [*state.problems]
    if state.user and user_id is None:
        problems.append(later(gettext_noop("There is no user “%(user)s”."), user=state.user))
    return Asked(state, user_id, problems)


async def resolve(db: AsyncDatabase[Json], asked: Asked, now: datetime | None = None) -> Resolved:
    """Return what a state selects.

    Args:
        now: Ages count from here, aware UTC; None for this moment.
    """
    state, problems = asked.state, [*asked.problems]
    user_id = asked.user_id
    types: tuple[str, ...] = ()
    if state.type:
        types = matching_types(state.type, await known_types(db))
        if not types:
            known = ", ".join(sorted(each.task_type.lower().replace("_", "-") for each in registry.all_types()))
            problems.append(later(gettext_noop("No task type fits “%(type)s”; there are %(known)s."), type=state.type, known=known))
    subject_ids: tuple[str, ...] = ()
    if state.about:
        about = await _about(db, state.about)
        subject_ids = about.ids
        if about.user_id and user_id and about.user_id != user_id:
            problems.append(later(gettext_noop("“%(id)s” belongs to another user."), id=state.about))
        user_id = user_id or about.user_id
        if user_id is None and not state.parent:
            text = gettext_noop("There is no novel or scene “%(id)s”. Tasks about one that was deleted are found together with their user (user:…).")
            problems.append(later(text, id=state.about))
    span = ages.parse(state.created, _on_the_grid(now or datetime.now(UTC))) if state.created else None
    selection = Selection(
        task_ids=state.task_ids,
        user_id=user_id,
        task_types=types,
        statuses=frozenset({state.task_status}) if state.task_status else frozenset(TaskStatus),
        children=state.with_children,
        parent_id=state.parent or None,
        error_code=state.error or None,
        subject_ids=subject_ids,
        condition=json.dumps(waiting_query(state.waiting, await waiting_facts()), sort_keys=True) if state.waiting else "",
        created_after=span.after if span else None,
        created_before=span.until if span else None,
    )
    return Resolved(selection, problems)


async def known_types(db: AsyncDatabase[Json]) -> list[str]:
    """Return the types that are stored or known here, sorted."""
    return sorted({*await search.stored_types(db), *(each.task_type for each in registry.all_types())})


def matching_types(text: str, known: list[str]) -> tuple[str, ...]:
    """Return the stored names that a text means: one type with its former names, or all that have the text in their name."""
    name = text.upper().replace("-", "_").replace(" ", "_")
    try:
        executable = registry.get(name)
    except UnknownTaskType:
        pass
    else:
        return (executable.task_type, *executable.aliases)
    if text in known:
        return (text,)
    return tuple(each for each in known if name in each)


async def meaning(db: AsyncDatabase[Json], word: str) -> str | None:
    """Return the qualifier that a bare word stands for, by looking it up: `id` or `about`; None when it is neither."""
    is_task, is_scene, is_novel = await asyncio.gather(*(db[name].find_one({"_id": word}, {"_id": 1}) for name in (TASKS, SCENES, NOVELS)))
    return "id" if is_task else "about" if is_scene or is_novel else None


@dataclass(frozen=True, slots=True)
class _About:
    ids: tuple[str, ...]
    user_id: str | None


async def _about(db: AsyncDatabase[Json], subject_id: str) -> _About:
    novel = await db[NOVELS].find_one({"_id": subject_id}, {"author": 1})
    if novel:
        scenes = db[SCENES].find({"novelId": subject_id}, {"_id": 1}, hint="scenes_in_order").limit(MAX_SCENES)
        return _About((subject_id, *[scene["_id"] async for scene in scenes]), novel["author"])
    scene = await db[SCENES].find_one({"_id": subject_id}, {"novelId": 1})
    owner = await db[NOVELS].find_one({"_id": scene["novelId"]}, {"author": 1}) if scene else None
    return _About((subject_id,), owner["author"] if owner else None)


def _on_the_grid(moment: datetime) -> datetime:
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % _GRID_SECONDS, UTC)
