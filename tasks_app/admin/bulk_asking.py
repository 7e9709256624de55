"""Asking for an action on all tasks that match a filter: what it would do, a page that names the number, and handing it to the workers."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from pymongo.errors import ExecutionTimeout

from ainoval import mongo
from ainoval.accounts.models import User
from ainoval.ids import derived_id
from tasks_app import bulk, bulk_actions, bulk_run
from tasks_app.admin import audit, resolving
from tasks_app.admin.actions import Action
from tasks_app.admin.bulk_shown import PAGE, exactly, in_words
from tasks_app.admin.filters import ListState
from tasks_app.admin.guard import acting_user, render
from tasks_app.admin.resolving import Asked, Resolved
from tasks_app.admin.rows import list_address
from tasks_app.admin.words import number, status_look
from tasks_app.bulk_actions import AskedAlready, Wanted
from tasks_app.selection import Selection
from tasks_app.states import TaskStatus

COUNT_MILLISECONDS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action on all that match would do: how many in each status; `exact` False when they could not be counted in time (there are no counts then)."""

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
    asked_at = _asked_at(request)
    action_id = derived_id("bulk action", str(acting_user(request).pk), action.name, state.query_string(), asked_at.isoformat())
    confirmed = request.POST.get("confirmed") == "yes"
    if confirmed and mongo.run(_is_known(action_id)):
        return _asked_already(request, action_id)
    resolved, plan = mongo.run(_plan(action, resolving.ask(state), asked_at))
    if resolved.problems:
        for problem in resolved.problems:
            messages.error(request, str(problem))
        return back
    if plan is None or (plan.exact and not plan.total):
        messages.warning(request, _("None of the tasks that match can be changed by this."))
        return back
    return _hand_in(request, action, state, plan, action_id) if confirmed else _confirmation(request, action, state, plan, asked_at)


def _hand_in(request: HttpRequest, action: Action, state: ListState, plan: Plan, action_id: str) -> HttpResponse:
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
    # First the line: once the action is stored, whoever looks at it has it done, and what cannot be recorded must not be done.
    line = audit.record_bulk(user, action, action_id, expected=exactly(plan.total, plan.exact), filtered=wanted.filter, reason=wanted.reason)
    try:
        mongo.run(_create(wanted, action_id))
    except AskedAlready:
        line.delete()  # the other click has one
        return _asked_already(request, action_id)
    bulk_run.hand_out(action_id)
    return HttpResponseRedirect(reverse(PAGE, args=[action_id]))


def _asked_already(request: HttpRequest, action_id: str) -> HttpResponse:
    """Lead to the action that a form has begun before: a second click, or a form that was sent again, begins no second one beside it."""
    messages.warning(request, _("This was asked for already: here it is."))
    return HttpResponseRedirect(reverse(PAGE, args=[action_id]))


def _asked_at(request: HttpRequest) -> datetime:
    """Return the moment of the page that named the number: what has come since was not confirmed."""
    now = datetime.now(UTC)
    stamp = request.POST.get("asked", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 13):
        return now
    return min(datetime.fromtimestamp(int(stamp) / 1000, UTC), now)


async def _plan(action: Action, asked: Asked, asked_at: datetime) -> tuple[Resolved, Plan | None]:
    db = mongo.database()
    # As it was when the number was named: what has become old enough for `created:>2h` since was not in it.
    resolved = await resolving.resolve(db, asked, asked_at)
    selection = None if resolved.problems else narrowed(action, resolved.selection, asked_at)
    if selection is None:
        return resolved, None
    try:
        # Their ends are not asked for: it would mean to read every document.
        counts = await bulk.count(db, replace(selection, ended_before=None), max_milliseconds=COUNT_MILLISECONDS)
    except ExecutionTimeout:
        return resolved, Plan(selection, {}, exact=False)
    return resolved, Plan(selection, counts)


async def _is_known(action_id: str) -> bool:
    return bool(await bulk_actions.by_ids(mongo.database(), [action_id]))


async def _create(wanted: Wanted, action_id: str) -> None:
    await bulk_actions.create(mongo.database(), wanted, action_id=action_id)


def _confirmation(request: HttpRequest, action: Action, state: ListState, plan: Plan, asked_at: datetime) -> HttpResponse:
    counted = in_words(plan.total, plan.exact)
    context = {
        "title": _("%(action)s: %(count)s") % {"action": action.word, "count": counted},
        "action": action,
        "counted": counted,
        "asked": int(asked_at.timestamp() * 1000),
        "counts": [(status_look(status), number(count)) for status, count in plan.counts.items()],
        "filter": state.text(),
        "state": state.query_string(),
        "selected_url": reverse("admin:tasks_app_backgroundtask_selected"),
        "back": list_address(state.query_string()),
        "reason_max_length": audit.REASON_MAX_LENGTH,
    }
    return render(request, "confirm_all.html", context)
