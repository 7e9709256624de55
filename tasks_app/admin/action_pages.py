"""Where the forms of list and task page go: ask, act, say what came of it, and go back. Nothing changes without a POST."""

from collections import Counter
from typing import Final

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from ainoval import mongo
from ainoval.accounts.models import User
from tasks_app.admin import audit, people, reading
from tasks_app.admin.actions import ACTIONS, Action, Outcome, perform
from tasks_app.admin.bulk_asking import ask_for_all
from tasks_app.admin.filters import ListState
from tasks_app.admin.guard import acting_user, allowed, console_page, render
from tasks_app.admin.reading import SelectionRead
from tasks_app.admin.rows import address_of, list_address, owner
from tasks_app.admin.words import status_look, tasks_counted, type_word
from tasks_app.errors import TaskNotFound
from tasks_app.states import TaskStatus

SELECTED: Final = "admin:tasks_app_backgroundtask_selected"
MAX_SELECTED: Final = 200


@console_page
def act_on_one(request: HttpRequest, task_id: str, action: str) -> HttpResponse:
    """Do one action to one task, and go back to it (or to the list, when it is gone)."""
    if action not in ACTIONS:
        raise Http404
    task_id = unquote(task_id)
    back = HttpResponseRedirect(address_of(task_id))
    if request.method != "POST":
        return back  # the way back from a log-in
    wanted = allowed(request, ACTIONS[action])
    selection = mongo.run(reading.read_selection([task_id]))
    if not selection.tasks:
        raise TaskNotFound
    [outcome] = _act(request, wanted, selection, override=bool(wanted.override) and request.POST.get("override") == "yes")
    if outcome.code is not None:
        messages.error(request, outcome.reason)
        return back
    messages.success(request, _("%(count)s: %(outcome)s.") % {"count": tasks_counted(1), "outcome": _done_word(wanted, outcome)})
    return HttpResponseRedirect(list_address()) if wanted.removes else back


@console_page
def act_on_selected(request: HttpRequest) -> HttpResponse:
    """Ask whether an action on selected tasks is meant, naming how many they are; when confirmed, do it and go back to the list."""
    state = ListState.parse(QueryDict(request.POST.get("state", "").encode()))
    back = HttpResponseRedirect(list_address(state.query_string()))
    if request.method != "POST":
        return back
    if request.POST.get("action") not in {action.name for action in ACTIONS.values() if action.in_bulk}:
        messages.error(request, _("Choose an action."))
        return back
    action = allowed(request, ACTIONS[request.POST["action"]])
    if request.POST.get("all") == "1":
        return ask_for_all(request, action, state)
    task_ids = list(dict.fromkeys(request.POST.getlist("task")))
    if not task_ids:
        messages.warning(request, _("Select the tasks first."))
        return back
    if len(task_ids) > MAX_SELECTED:
        messages.error(request, _("At most %(limit)d tasks at once.") % {"limit": MAX_SELECTED})
        return back
    selection = mongo.run(reading.read_selection(task_ids))
    if not selection.tasks:
        messages.error(request, _("None of the selected tasks exists any more."))
        return back
    if request.POST.get("confirmed") != "yes":
        return _confirmation(request, action, selection, state)
    _tell(request, action, _act(request, action, selection, filtered=state.text()))
    return back


def _act(request: HttpRequest, action: Action, selection: SelectionRead, *, override: bool = False, filtered: str = "") -> list[Outcome]:
    user: User = acting_user(request)
    task_ids = [task["_id"] for task in selection.tasks]
    types = {task["_id"]: task["taskType"] for task in selection.tasks}
    reason = request.POST.get("reason", "").strip()
    entries = audit.begin(user, action.name, task_ids, reason=reason, task_types=types, filtered=filtered, override=override)
    changed = _changed_meanwhile(request, selection) if action.removes else set()
    done = iter(mongo.run(perform(action, [task for task in selection.tasks if task["_id"] not in changed], override=override)))
    outcomes = [Outcome(task_id, "changed_meanwhile") if task_id in changed else next(done) for task_id in task_ids]
    audit.finish(entries, outcomes, removes=action.removes)
    return outcomes


def _changed_meanwhile(request: HttpRequest, selection: SelectionRead) -> set[str]:
    """Return the tasks that are in another state than the page showed on which they were chosen: what failed then may hold a result by now."""
    seen = dict(each.rpartition(":")[::2] for each in request.POST.getlist("seen"))
    return {task["_id"] for task in selection.tasks if seen.get(task["_id"], task["status"]) != task["status"]}


def _done_word(action: Action, outcome: Outcome) -> str:
    if outcome.status == TaskStatus.CANCELLING:
        return _("the worker was asked to stop it")
    return str(action.done)


def _tell(request: HttpRequest, action: Action, outcomes: list[Outcome]) -> None:
    done = sum(outcome.code is None for outcome in outcomes)
    if done:
        stopping = any(outcome.status == TaskStatus.CANCELLING for outcome in outcomes)
        word = _("cancelled, or being stopped by their workers") if stopping else action.done
        messages.success(request, _("%(count)s: %(outcome)s.") % {"count": tasks_counted(done), "outcome": word})
    for reason, count in Counter(outcome.reason for outcome in outcomes if outcome.code is not None).items():
        messages.error(request, _("%(count)s unchanged: %(reason)s") % {"count": tasks_counted(count), "reason": reason})


def _confirmation(request: HttpRequest, action: Action, selection: SelectionRead, state: ListState) -> HttpResponse:
    names = people.usernames(task["userId"] for task in selection.tasks)
    chosen = [
        {
            "task_id": task["_id"],
            "address": address_of(task["_id"]),
            "status": status_look(task["status"]),
            "type_word": type_word(task["taskType"]),
            "subject": selection.subjects.get(task["_id"]),
            "owner": owner(task, names),
            "refusal": action.refusal(task) or "",
        }
        for task in selection.tasks
    ]
    context = {
        "title": _("%(action)s: %(count)s") % {"action": action.word, "count": tasks_counted(len(chosen))},
        "action": action,
        "tasks": chosen,
        "counted": tasks_counted(len(chosen)),
        "refused": sum(bool(task["refusal"]) for task in chosen),
        "state": state.query_string(),
        "selected_url": reverse(SELECTED),
        "back": list_address(state.query_string()),
        "reason_max_length": audit.REASON_MAX_LENGTH,
    }
    return render(request, "confirm.html", context)
