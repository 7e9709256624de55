"""Actions on all tasks that match a filter: asking for one, seeing how far it is, stopping it, and the list of the latest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails
from pymongo.errors import ExecutionTimeout

from ainoval import mongo
from ainoval.accounts.models import User
from tasks_app import bulk, bulk_actions, bulk_run
from tasks_app.admin import audit, resolving
from tasks_app.admin.actions import ACTIONS, Action
from tasks_app.admin.counting import EXACT_LIMIT
from tasks_app.admin.filters import ListState
from tasks_app.admin.guard import acting_user, allowed, console_page, render, render_part
from tasks_app.admin.resolving import Asked, Resolved
from tasks_app.admin.rows import list_address
from tasks_app.admin.words import StatusLook, duration, number, status_look, tasks_counted
from tasks_app.bulk_actions import Outcome, Wanted
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus
from tasks_app.waiting import waiting_facts

Json = dict[str, Any]

SHOWN: Final = 50
COUNT_MILLISECONDS: Final = 3_000
PAGE: Final = "admin:tasks_app_backgroundtask_bulk"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action on all that match would do: how many in each status; `exact` False when they are too many to count."""

    selection: Selection
    counts: dict[TaskStatus, int]
    exact: bool = True

    @property
    def total(self) -> int:
        """How many tasks it is."""
        return sum(self.counts.values())


def narrowed(action: Action, selection: Selection, now: datetime) -> Selection | None:
    """Return those of the selected tasks that an action can be done to, and that were there at this moment; None for none at all."""
    statuses = selection.statuses & action.statuses
    children = selection.children and action.takes_children
    if not statuses or (selection.parent_id is not None and not children):
        return None
    # What ends later than now is not touched: a task that was run again and failed again is not run again twice.
    ended_before = now if all(status.is_terminal for status in statuses) else None
    until = min(selection.created_before or now, now)
    return replace(selection, statuses=statuses, children=children, created_before=until, ended_before=ended_before)


def ask_for_all(request: HttpRequest, action: Action, state: ListState) -> HttpResponse:
    """Ask whether an action on all tasks that match is meant, naming their number; when confirmed, hand it to the workers and lead to its page."""
    state = state.first_page()
    back = HttpResponseRedirect(list_address(state.query_string()))
    resolved, plan = mongo.run(_plan(action, resolving.ask(state)))
    if resolved.problems:
        for problem in resolved.problems:
            messages.error(request, str(problem))
        return back
    if plan is None or not plan.total:
        messages.warning(request, _("None of the tasks that match can be changed by this."))
        return back
    if request.POST.get("confirmed") != "yes":
        return _confirmation(request, action, state, plan)
    user: User = acting_user(request)
    wanted = Wanted(
        action=action.name,
        user_id=str(user.pk),
        username=user.get_username(),
        selection=plan.selection,
        filter=state.text(),
        query=state.query_string(),
        reason=request.POST.get("reason", "").strip()[: audit.REASON_MAX_LENGTH],
        expected=plan.total,
        expected_exact=plan.exact,
    )
    stored = mongo.run(_create(wanted))
    audit.record_bulk(user, action, stored["_id"], expected=_number(plan.total, plan.exact), filtered=wanted.filter, reason=wanted.reason)
    bulk_run.hand_out(stored["_id"])
    return HttpResponseRedirect(reverse(PAGE, args=[stored["_id"]]))


async def _plan(action: Action, asked: Asked) -> tuple[Resolved, Plan | None]:
    db = mongo.database()
    resolved = await resolving.resolve(db, asked)
    selection = None if resolved.problems else narrowed(action, resolved.selection, datetime.now(UTC))
    if selection is None:
        return resolved, None
    try:
        # Their ends are not asked for: it would mean to read every document.
        counts = await bulk.count(db, replace(selection, ended_before=None), max_milliseconds=COUNT_MILLISECONDS)
    except ExecutionTimeout:
        return resolved, Plan(selection, {min(selection.statuses): EXACT_LIMIT}, exact=False)
    return resolved, Plan(selection, counts)


async def _create(wanted: Wanted) -> Json:
    return await bulk_actions.create(mongo.database(), wanted)


def _confirmation(request: HttpRequest, action: Action, state: ListState, plan: Plan) -> HttpResponse:
    counted = tasks_counted(plan.total) if plan.exact else _("more than %(count)s") % {"count": tasks_counted(plan.total)}
    context = {
        "title": _("%(action)s: %(count)s") % {"action": action.word, "count": counted},
        "action": action,
        "counted": counted,
        "everything": not state.filtered and not state.status,
        "counts": [(status_look(status), number(count)) for status, count in plan.counts.items()] if plan.exact else [],
        "filter": state.text(),
        "state": state.query_string(),
        "selected_url": reverse("admin:tasks_app_backgroundtask_selected"),
        "back": list_address(state.query_string()),
        "reason_max_length": audit.REASON_MAX_LENGTH,
    }
    return render(request, "confirm_all.html", context)


@dataclass(frozen=True, slots=True)
class Shown:
    """An action as its page shows it."""

    action_id: str
    address: str
    word: str
    name: str
    username: str
    filter: str
    query: str
    reason: str
    state: str
    look: StatusLook
    expected: str
    seen: str
    changed: str
    unchanged: str
    percentage: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    took: str
    stopped_by: str
    error: str
    waits: str


@console_page
def bulk_page(request: HttpRequest, action_id: str) -> HttpResponse:
    """Show an action on many tasks while it is done, and what came of it."""
    document, workers = mongo.run(_read(action_id))
    if mongo.run(_needs_handing_out(action_id)):
        bulk_run.hand_out(action_id)  # its worker has died, or the package was lost: whoever looks at it gets it going again
    shown = _shown(document, workers)
    may_stop = document["outcome"] is None and ACTIONS[shown.name].allowed(request.user) if shown.name in ACTIONS else False
    context = {
        "title": _("%(action)s: %(count)s") % {"action": shown.word, "count": _tasks(document)},
        "bulk": shown,
        "may_stop": may_stop,
        "refresh_url": request.path,
    }
    return render_part(request, "bulk_parts.html", context) if HtmxDetails(request) else render(request, "bulk.html", context)


@console_page
def bulk_list(request: HttpRequest) -> HttpResponse:
    """Show the latest actions on many tasks."""
    documents, workers = mongo.run(_read_newest())
    context = {"title": _("Actions on many tasks"), "actions": [_shown(document, workers) for document in documents], "refresh_url": request.path}
    return render_part(request, "bulk_list_parts.html", context) if HtmxDetails(request) else render(request, "bulk_list.html", context)


@console_page
def bulk_stop(request: HttpRequest, action_id: str) -> HttpResponse:
    """Stop an action on many tasks after its present group; what it has changed stays changed."""
    back = HttpResponseRedirect(reverse(PAGE, args=[action_id]))
    if request.method != "POST":
        return back
    document, _workers = mongo.run(_read(action_id))
    allowed(request, ACTIONS[document["action"]])
    if mongo.run(_stop(action_id, acting_user(request).get_username())):
        messages.success(request, _("It stops after the tasks that it is at. What it has changed stays changed."))
    else:
        messages.error(request, _("It has ended already."))
    return back


async def _read(action_id: str) -> tuple[Json, int]:
    return await bulk_actions.get(mongo.database(), action_id), (await waiting_facts()).workers


async def _read_newest() -> tuple[list[Json], int]:
    return await bulk_actions.newest(mongo.database(), limit=SHOWN), (await waiting_facts()).workers


async def _needs_handing_out(action_id: str) -> bool:
    return await bulk_actions.needs_handing_out(mongo.database(), action_id)


async def _stop(action_id: str, username: str) -> bool:
    return await bulk_actions.request_stop(mongo.database(), action_id, by=username)


def _number(count: int, exact: bool) -> str:
    return number(count) if exact else f"{number(count)}+"


def _tasks(document: Mapping[str, Any]) -> str:
    return tasks_counted(document["expected"]) if document["expectedExact"] else _("more than %(count)s") % {"count": tasks_counted(document["expected"])}


def _shown(document: Mapping[str, Any], workers: int) -> Shown:
    seen, changed, expected = document["seen"], document["changed"], document["expected"]
    started, ended, outcome = document["startedAt"], document["endedAt"], document["outcome"]
    state, look = _state(document)
    done = outcome == Outcome.DONE
    return Shown(
        action_id=document["_id"],
        address=reverse(PAGE, args=[document["_id"]]),
        word=audit.action_word(document["action"]),
        name=document["action"],
        username=document["username"],
        filter=document["filter"],
        query=document["query"],
        reason=document["reason"],
        state=state,
        look=look,
        expected=_number(expected, document["expectedExact"]),
        seen=number(seen),
        changed=number(changed),
        unchanged=number(seen - changed) if seen > changed else "",
        percentage=100 if done else min(99, 100 * seen // max(expected, 1)),
        created_at=document["createdAt"],
        started_at=started,
        ended_at=ended,
        took=duration((ended - started).total_seconds()) if started and ended else "",
        stopped_by=document.get("stoppedBy") or "",
        error=document.get("error") or "",
        waits=_("No worker is running; it begins when one is started.") if outcome is None and not workers else "",
    )


def _state(document: Mapping[str, Any]) -> tuple[str, StatusLook]:
    match document["outcome"]:
        case Outcome.DONE.value:
            return _("Done"), status_look(TaskStatus.COMPLETED)
        case Outcome.STOPPED.value:
            return _("Stopped"), status_look(TaskStatus.CANCELLED)
        case Outcome.FAILED.value:
            return _("Failed"), status_look(TaskStatus.FAILED)
    if document.get("stopRequestedAt"):
        return _("Stopping"), status_look(TaskStatus.CANCELLING)
    return (_("Working"), status_look(TaskStatus.RUNNING)) if document["startedAt"] else (_("Waiting for a worker"), status_look(TaskStatus.QUEUED))
