"""One task: what it is, why it waits, what happened, and what can be done about it."""

from datetime import UTC, datetime

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse

from ainoval import mongo
from tasks_app.admin import audit, people, reading
from tasks_app.admin.details import details
from tasks_app.admin.guard import VIEW_TEXT, console_page, render


@console_page
def task_page(request: HttpRequest, task_id: str) -> HttpResponse:
    """Show one task; manuscript text only to those who may read it."""
    task_id = unquote(task_id)
    read = mongo.run(reading.read_task(task_id))
    names = people.usernames([read.task["userId"]])
    shown = details(read, request.user, names=names, now=datetime.now(UTC), shows_text=request.user.has_perm(VIEW_TEXT))
    context = {
        "title": shown.row.type_word,
        "subtitle": task_id,
        "task": shown,
        "audit": audit.trail(task_id),
        "reason_max_length": audit.REASON_MAX_LENGTH,
    }
    return render(request, "task.html", context)
