"""The list: a tab for each status, filters, fifty tasks a page, and actions on the selected ones."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from ainoval import mongo
from tasks_app import registry
from tasks_app.admin import people, reading
from tasks_app.admin.actions import ACTIONS
from tasks_app.admin.filters import LAST_PAGE, PAGE_SIZE, ListState
from tasks_app.admin.guard import console_page, render
from tasks_app.admin.rows import row
from tasks_app.admin.words import StatusLook, status_look, type_word
from tasks_app.states import TaskStatus


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab above the list; `status` is None for "All"."""

    status: StatusLook | None
    count: str
    query: str
    current: bool


@console_page
def list_page(request: HttpRequest) -> HttpResponse:
    """Show one page of tasks, the newest first."""
    state = ListState.parse(request.GET)
    user_id = people.find_user_id(state.user) if state.user else None
    unknown_user = bool(state.user) and user_id is None
    read = mongo.run(reading.read_list(state.task_filter(people.NOBODY if unknown_user else user_id), page=state.page))
    names = people.usernames(task["userId"] for task in read.page.items)
    now = datetime.now(UTC)
    context = {
        "title": _("Background tasks"),
        "state": state,
        "query": state.query_string(),
        "tabs": _tabs(state, read.counts),
        "types": _types(state),
        "unknown_user": unknown_user,
        "rows": [row(task, read.facts, subject=read.subjects.get(task["_id"]), names=names, now=now) for task in read.page.items],
        "workers": read.facts.workers,
        "actions": [action for action in ACTIONS.values() if action.allowed(request.user)],
        **_paging(state, read.page.total),
    }
    return render(request, "list.html", context)


def _tabs(state: ListState, counts: dict[TaskStatus, int | None]) -> list[Tab]:
    known = [count for count in counts.values() if count is not None]
    everything = sum(known) if len(known) == len(counts) and max(known) <= reading.COUNT_LIMIT else None
    tabs = [Tab(None, _counted(everything), state.on_tab(None).query_string(), state.status is None)]
    for status in TaskStatus:
        tabs.append(Tab(status_look(status), _counted(counts[status]), state.on_tab(status).query_string(), state.status is status))
    return tabs


def _counted(count: int | None) -> str:
    if count is None:
        return "…"
    return f"{count:,}" if count <= reading.COUNT_LIMIT else f"{reading.COUNT_LIMIT:,}+"


def _types(state: ListState) -> list[tuple[str, str]]:
    names = {executable.task_type for executable in registry.all_types()} | ({state.task_type} if state.task_type else set())
    return [(name, type_word(name)) for name in sorted(names)]


def _paging(state: ListState, total: int) -> dict[str, Any]:
    pages = min(max(-(-total // PAGE_SIZE), 1), LAST_PAGE)
    first = (state.page - 1) * PAGE_SIZE
    return {
        "total": total,
        "first": min(first + 1, total),
        "last": min(first + PAGE_SIZE, total),
        "page_number": state.page,
        "pages": pages,
        "past_the_end": state.page > pages,
        "first_query": state.on_page(1).query_string(),
        "previous_query": state.on_page(state.page - 1).query_string() if state.page > 1 else None,
        "next_query": state.on_page(state.page + 1).query_string() if state.page < pages else None,
    }
