"""Running a task again with other parameters: a form made from its type's model, and what is wrong beside the field it is wrong with."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from ainoval import mongo
from tasks_app import queries, registry
from tasks_app.admin import audit, parameter_form
from tasks_app.admin.actions import EDIT, REQUEUE, Outcome, requeue_edited
from tasks_app.admin.guard import VIEW_TEXT, acting_user, allowed, console_page, render
from tasks_app.admin.masking import masked
from tasks_app.admin.parameter_form import AS_JSON
from tasks_app.admin.rows import address_of
from tasks_app.admin.words import tasks_counted, type_word

Json = dict[str, Any]


@console_page
def edit_page(request: HttpRequest, task_id: str) -> HttpResponse:
    """Show the form, or send the task back to the queue with what was typed into it."""
    task_id = unquote(task_id)
    allowed(request, REQUEUE)
    task = mongo.run(queries.get(task_id, user_id=None))
    back = HttpResponseRedirect(address_of(task_id))
    if refusal := REQUEUE.refusal(task) or _text_refusal(request, task):
        messages.error(request, refusal)
        return back
    if request.method != "POST":
        return _form(request, task, Outcome(task_id))
    typed = parameter_form.read(registry.get(task["taskType"]).Parameters, request.POST)
    if typed.parameters is None:
        return _form(request, task, Outcome(task_id, "invalid_parameters", errors=typed.errors))
    reason = request.POST.get("reason", "").strip()
    entries = audit.begin(acting_user(request), EDIT, [task_id], reason=reason, task_types={task_id: task["taskType"]})
    outcome = mongo.run(requeue_edited(task, typed.parameters))
    audit.finish(entries, [outcome])
    if outcome.code is None:
        messages.success(request, _("%(count)s: %(outcome)s.") % {"count": tasks_counted(1), "outcome": REQUEUE.done})
        return back
    return _form(request, task, outcome)


def _text_refusal(request: HttpRequest, task: Json) -> str | None:
    """Return why a member of staff may not edit these parameters: some hold text that they may not read, and would overwrite unseen."""
    parameters = task.get("parameters", {})
    if request.user.has_perm(VIEW_TEXT) or masked(parameters) == parameters:
        return None
    return _("The parameters hold manuscript text: reading it needs a permission of its own.")


def _form(request: HttpRequest, task: Json, outcome: Outcome) -> HttpResponse:
    model = registry.get(task["taskType"]).Parameters
    sent = request.POST if request.method == "POST" else None
    as_json = sent is not None and AS_JSON in sent
    context = {
        "title": _("Requeue with other parameters"),
        "type_word": type_word(task["taskType"]),
        "task_id": task["_id"],
        "address": address_of(task["_id"]),
        "fields": parameter_form.fields(model, task.get("parameters", {}), outcome.errors, None if as_json else sent),
        "problems": [*([outcome.reason] if outcome.code else []), *parameter_form.other_errors(model, outcome.errors)],
        "json_text": sent.get(AS_JSON, "") if as_json and sent is not None else parameter_form.as_json(task.get("parameters", {})),
        "as_json": as_json,
        "reason": request.POST.get("reason", ""),
        "reason_max_length": audit.REASON_MAX_LENGTH,
    }
    return render(request, "edit.html", context, status=422 if outcome.code else 200)
