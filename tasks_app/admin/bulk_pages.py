"""The pages of actions on many tasks: how far one is, stopping it, and the list of the latest."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from ainoval import mongo
from tasks_app import bulk_actions, bulk_run
from tasks_app.admin.actions import ACTIONS
from tasks_app.admin.bulk_shown import PAGE, shown, tasks_expected
from tasks_app.admin.filters import ListState
from tasks_app.admin.guard import acting_user, allowed, console_page, render, render_part
from tasks_app.search import Position
from tasks_app.waiting import waiting_facts

Json = dict[str, Any]

SHOWN: Final = 50


@console_page
def bulk_page(request: HttpRequest, action_id: str) -> HttpResponse:
    """Show an action on many tasks while it is done, and what came of it."""
    document, workers = mongo.run(_read(action_id))
    # Its worker has died, or the package was lost: whoever looks at it gets it going again. Without any worker the package waits for one.
    if workers and mongo.run(_needs_handing_out(action_id)):
        bulk_run.hand_out(action_id)
    action = shown(document, workers)
    may_stop = document["outcome"] is None and action.name in ACTIONS and ACTIONS[action.name].allowed(request.user)
    context = {
        "title": _("%(action)s: %(count)s") % {"action": action.word, "count": tasks_expected(document)},
        "bulk": action,
        "may_stop": may_stop,
        "refresh_url": request.path,
    }
    return render_part(request, "bulk_parts.html", context) if HtmxDetails(request) else render(request, "bulk.html", context)


@console_page
def bulk_list(request: HttpRequest) -> HttpResponse:
    """Show the actions on many tasks, the latest first."""
    before = ListState.parse(request.GET).before
    documents, workers = mongo.run(_read_newest(before))
    listed = documents[:SHOWN]
    context = {
        "title": _("Actions on many tasks"),
        "actions": [shown(document, workers) for document in listed],
        "is_first_page": before is None,
        "older_query": ListState(before=Position.of(listed[-1])).query_string() if len(documents) > SHOWN else "",
        "refresh_url": request.get_full_path(),
    }
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


async def _read_newest(before: Position | None) -> tuple[list[Json], int]:
    return await bulk_actions.newest(mongo.database(), limit=SHOWN + 1, before=before), (await waiting_facts()).workers


async def _needs_handing_out(action_id: str) -> bool:
    return await bulk_actions.needs_handing_out(mongo.database(), action_id)


async def _stop(action_id: str, username: str) -> bool:
    return await bulk_actions.request_stop(mongo.database(), action_id, by=username)
