"""One task: what it is, why it waits, what happened, and what can be done about it."""

from datetime import UTC, datetime

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from ainoval import mongo
from tasks_app import bulk_actions
from tasks_app.admin import audit, people, reading
from tasks_app.admin.details import details
from tasks_app.admin.guard import VIEW_TEXT, console_page, render, render_part
from tasks_app.errors import TaskNotFound


@console_page
def task_page(request: HttpRequest, task_id: str) -> HttpResponse:
    """Show one task; manuscript text only to those who may read it. Asked by the page's script, only what may have changed.

    Of one that is gone, what staff did to it is still there.
    """
    task_id = unquote(task_id)
    try:
        read = mongo.run(reading.read_task(task_id))
    except TaskNotFound:
        if mongo.run(_is_bulk_action(task_id)):  # the admin's own history links to everything as if it were a task
            return HttpResponseRedirect(reverse("admin:tasks_app_backgroundtask_bulk", args=[task_id]))
        if not (lines := audit.trail(task_id)):
            raise
        return render(request, "missing.html", {"title": _("No such task"), "audit": lines}, status=404)
    names = people.usernames([read.task["userId"]])
    lines = audit.trail(task_id, read.bulk_actions)
    shown = details(read, request.user, lines, names=names, now=datetime.now(UTC), shows_text=request.user.has_perm(VIEW_TEXT))
    context = {
        "title": shown.row.type_word,
        "subtitle": task_id,
        "task": shown,
        "audit": lines,
        "reason_max_length": audit.REASON_MAX_LENGTH,
        "refresh_url": request.path,
    }
    return render_part(request, "task_parts.html", context) if HtmxDetails(request) else render(request, "task.html", context)


async def _is_bulk_action(action_id: str) -> bool:
    return bool(await bulk_actions.by_ids(mongo.database(), [action_id]))
