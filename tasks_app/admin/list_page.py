"""The list: a search box, a tab for each status, filters, forty tasks a page, and actions on the selected ones or on all that match."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.middleware import HtmxDetails

from ainoval import mongo
from tasks_app.admin import people, qualifiers, reading, resolving, tabs
from tasks_app.admin.actions import ACTIONS
from tasks_app.admin.bulk_shown import shown
from tasks_app.admin.filters import PAGE_SIZE, VALUE_MAX_LENGTH, ListState
from tasks_app.admin.guard import VIEW_TEXT, console_page, render, render_part
from tasks_app.admin.resolving import Asked
from tasks_app.admin.rows import Row, address_of, list_address, row
from tasks_app.admin.words import type_word
from tasks_app.search import Position
from tasks_app.states import TaskStatus

SELECTED: Final = "admin:tasks_app_backgroundtask_selected"

AGES: Final[tuple[tuple[str, Promise], ...]] = (
    ("<1h", gettext_lazy("the last hour")),
    ("<24h", gettext_lazy("the last 24 hours")),
    ("<7d", gettext_lazy("the last 7 days")),
    (">1h", gettext_lazy("more than an hour ago")),
    (">24h", gettext_lazy("more than 24 hours ago")),
    (">7d", gettext_lazy("more than 7 days ago")),
)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that has no field of its own: what it says, and the list without it."""

    text: str
    query_without: str


@console_page
def list_page(request: HttpRequest) -> HttpResponse:
    """Show one page of tasks, the newest first; or, asked by the page's script, bring the rows that are shown up to date."""
    if "q" in request.GET:
        return _search(request, request.GET["q"])
    state = ListState.parse(request.GET)
    if HtmxDetails(request) and "rows" in request.GET:
        return _refresh(request, state)
    return _page(request, resolving.ask(state), state.text())


def _page(request: HttpRequest, asked: Asked, text: str) -> HttpResponse:
    read = mongo.run(reading.read_list(asked))
    state, page = asked.state, read.page
    rows = _rows(request, page.tasks, read, TaskStatus)
    actions = [action for action in ACTIONS.values() if action.in_bulk and action.allowed(request.user)]
    numbers = tabs.tabs(state, read.counts)
    older = bool(state.after) or page.more
    newer = bool(state.before) or (bool(state.after) and page.more)
    context = {
        "title": _("Background tasks"),
        "state": state,
        "text": text,
        "query": state.query_string(),
        "refresh_url": request.get_full_path(),
        "selected_url": reverse(SELECTED),
        "first_query": state.first_page().query_string(),
        "problems": read.resolved.problems,
        "tabs": numbers,
        "counting": any(tab.count == tabs.COUNTING for tab in numbers),
        "types": _types(state, read.types),
        "ages": AGES if any(state.created == age for age, _word in AGES) or not state.created else ((state.created, state.created), *AGES),
        "chips": _chips(state),
        "rows": rows,
        "words": _row_words(),
        "workers": read.facts.workers,
        "under_way": [shown(action, read.facts.workers) for action in read.under_way],
        "actions": actions,
        "total": tabs.total(read.counts, state),
        "hidden_children": tabs.hidden_children(read.counts, state),
        "with_children_query": state.first_page(children="1").query_string(),
        "reached": page.reached.created_at if page.reached else None,
        "older_query": _older(state, page.tasks, page.reached) if older else None,
        "newer_query": _newer(state, page.tasks, page.reached) if newer else None,
        "new": 0,
        "value_max_length": VALUE_MAX_LENGTH,
        "search_max_length": qualifiers.MAX_LENGTH,
    }
    return render(request, "list.html", context)


def _refresh(request: HttpRequest, state: ListState) -> HttpResponse:
    task_ids = [task_id for task_id in request.GET["rows"].split(",") if task_id][:PAGE_SIZE]
    asked = resolving.ask(state)
    read = mongo.run(reading.read_refresh(asked, task_ids))
    found = {row.task_id: row for row in _rows(request, read.rows, read, read.resolved.selection.statuses)}
    context = {
        "state": state,
        "rows": [found[task_id] for task_id in task_ids if task_id in found],
        "words": _row_words(),
        "gone": [task_id for task_id in task_ids if task_id not in found],
        "tabs": tabs.tabs(state, read.counts),
        "total": tabs.total(read.counts, state),
        "hidden_children": tabs.hidden_children(read.counts, state),
        "with_children_query": state.first_page(children="1").query_string(),
        "new": read.new,
        "most_new": reading.MAX_NEW,
        "first_query": state.first_page().query_string(),
        "actions": [action for action in ACTIONS.values() if action.in_bulk and action.allowed(request.user)],
        "workers": read.facts.workers,
        "under_way": [shown(action, read.facts.workers) for action in read.under_way],
    }
    return render_part(request, "list_refresh.html", context)


def _search(request: HttpRequest, text: str) -> HttpResponse:
    """Take what was typed apart, and lead to the address that says the same; or tell what cannot be understood."""
    search = qualifiers.parse(text)
    values, problems = dict(search.values), list(search.problems)
    for word in search.words:
        name = mongo.run(_meaning(word)) or ("user" if people.find_user_id(word) else None)
        if name is None:
            problems.append(_("“%(word)s” is no task, novel, scene or user. Names and ids are looked for; texts are not.") % {"word": word})
        elif name == "id" and len(search.words) == 1 and not values and not problems:
            return HttpResponseRedirect(address_of(word))
        elif name == "id" and name in values:
            values[name] += f",{word}"
        elif values.get(name, word) != word:
            problems.append(_("“%(name)s:” is given twice.") % {"name": name})
        else:
            values[name] = word
    state = ListState.of(values)
    problems += state.problems
    if not problems:
        return HttpResponseRedirect(list_address(state.query_string()))
    return _page(request, Asked(state, None, [*problems]), text)


async def _meaning(word: str) -> str | None:
    return await resolving.meaning(mongo.database(), word)


def _rows(request: HttpRequest, tasks: list[Any], read: reading.ListRead | reading.Refresh, statuses: Any) -> list[Row]:
    names = people.usernames(task["userId"] for task in tasks)
    now, shows_text = datetime.now(UTC), request.user.has_perm(VIEW_TEXT)
    return [
        row(
            task,
            read.facts,
            subject=read.subjects.get(task["_id"]),
            names=names,
            now=now,
            shows_text=shows_text,
            moved=TaskStatus(task["status"]) not in statuses,
        )
        for task in tasks
    ]


def _row_words() -> dict[str, str]:
    """Return what every row says, translated once for all of them."""
    return {"select": _("Select task"), "progress": _("Progress")}


def _types(state: ListState, types: list[str]) -> list[tuple[str, str]]:
    names = {name: type_word(name) for name in types}
    if state.type and state.type not in names:
        names = {state.type: state.type} | names
    return list(names.items())


def _chips(state: ListState) -> list[Chip]:
    labels = {"waiting": _("waiting: %(value)s"), "parent": _("batch %(value)s"), "about": _("about %(value)s"), "id": _("task %(value)s")}
    chips = []
    for name, label in labels.items():
        if value := getattr(state, name):
            chips.append(Chip(label % {"value": value}, state.first_page(**{name: ""}).query_string()))
    return chips


def _older(state: ListState, tasks: list[Any], reached: Position | None) -> str | None:
    if reached and not state.after:
        return replace(state, before=reached, after=None).query_string()
    return replace(state, before=Position.of(tasks[-1]), after=None).query_string() if tasks else state.first_page().query_string()


def _newer(state: ListState, tasks: list[Any], reached: Position | None) -> str | None:
    if reached and state.after:
        return replace(state, after=reached, before=None).query_string()
    return replace(state, after=Position.of(tasks[0]), before=None).query_string() if tasks else state.first_page().query_string()
