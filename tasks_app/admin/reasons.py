"""Why a task waits, in full: the reason, what stands behind it in numbers, and where to see that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from tasks_app import registry
from tasks_app.admin.clocks import Clock
from tasks_app.admin.filters import ListState
from tasks_app.admin.words import type_word
from tasks_app.families import ChildCounts
from tasks_app.states import LEASED, TaskStatus
from tasks_app.waiting import WaitingFacts

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason with what explains it; `query` lists the tasks that stand behind it, "" where there are none to list."""

    text: str
    explanation: str = ""
    query: str = ""


def reason(task: Json, clock: Clock, facts: WaitingFacts, *, owner: str, children: ChildCounts | None, position: int | None) -> Reason | None:
    """Return why a task waits; None for one that does not.

    Args:
        owner: The name by which the owner's tasks are listed.
        position: In the order of claims, counted to 1,000.
    """
    if not clock.code:
        return None
    limits, live, running = facts.limits, facts.live, ListState(status=TaskStatus.RUNNING.value, children="1")
    explanation = query = ""
    match clock.code:
        case "system_limit":
            explanation, query = _of(live.total, limits.total), running.query_string()
        case "type_limit":
            name = registry.present_name(task["taskType"])
            explanation = f"{type_word(name)}: {_of(live.types[name], limits.per_type.get(name, 0))}"
            query = running.first_page(type=name).query_string()
        case "user_limit":
            explanation = f"{owner}: {_of(live.users[task['userId']], limits.per_user)}"
            query = running.first_page(user=owner).query_string()
        case "provider_limited" if task["status"] == TaskStatus.QUEUED and (resource := task.get("resource")):
            explanation = f"{resource.removeprefix('ai:')}: {_of(live.resources[resource], limits.per_resource.get(resource, 0))}"
            query = running.query_string()
        case "awaiting_children" if children:
            ended = sum(count for status, count in children.by_status.items() if TaskStatus(status) not in LEASED | {TaskStatus.QUEUED, TaskStatus.RETRYING})
            explanation = _("%(ended)s of %(total)s have ended.") % {"ended": ended, "total": children.total}
            query = ListState(parent=task["_id"]).query_string()
    if position is not None:
        place = _("Place %(place)s in the queue.") % {"place": f"{position:,}" if position < 1_000 else "1,000+"}
        explanation = f"{explanation} {place}".strip()
    return Reason(clock.why, explanation, query)


def _of(running: int, limit: int) -> str:
    return _("%(running)s of %(limit)s are running.") % {"running": running, "limit": limit}
