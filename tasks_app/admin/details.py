"""A task as its own page shows it: documents in, plain data for the template out. Manuscript text is masked here, before any template sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ainoval.accounts.models import User
from tasks_app.admin.actions import ACTIONS, REQUEUE, Action
from tasks_app.admin.audit import AuditLine
from tasks_app.admin.filters import ListState
from tasks_app.admin.json_trees import tree
from tasks_app.admin.masking import mask, masked, masked_traceback
from tasks_app.admin.reading import MAX_CELLS, TaskRead
from tasks_app.admin.reasons import Reason, reason
from tasks_app.admin.rows import Row, address_of, list_address, row
from tasks_app.admin.subjects import marked
from tasks_app.admin.timelines import Step, timeline
from tasks_app.admin.words import StatusLook, duration, error_word, number, outcome_word, status_look
from tasks_app.states import TaskStatus

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Button:
    """An action in the header; `refusal` tells why it is disabled, "" when it is not."""

    action: Action
    refusal: str
    address: str


@dataclass(frozen=True, slots=True)
class Error:
    """Why the task failed, or what an attempt met.

    Attributes:
        word: What the code means, in our own words; "" for a code that has none.
        message: As stored; masked for those who may not read text, for it may quote some.
    """

    code: str
    word: str
    message: str
    details: SafeString | str
    retryable: bool
    query: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of the history."""

    key: str
    number: int
    outcome: str
    word: str
    started_at: datetime
    took: str
    error: Error | None
    traceback: str
    retry_after: str
    prompt_tokens: str
    completion_tokens: str
    worker: str


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many children are in one state, and the list of them."""

    status: StatusLook
    count: str
    query: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs the task now."""

    worker: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Details:
    """All that the task page shows.

    Attributes:
        panel: The template that says what the status means for this task.
        edit_refusal: Why it cannot be run again with other parameters; None when nothing speaks against it.
        parameters, result, draft: As trees, masked where the reader may not see text; "" for none.
        spare_cells: How many children the grid leaves out.
    """

    row: Row
    subject: SafeString | str
    panel: str
    reason: Reason | None
    buttons: list[Button]
    edit_address: str
    edit_refusal: str
    error: Error | None
    lease: Lease | None
    steps: list[Step]
    attempts: list[Attempt]
    parameters: SafeString
    result: SafeString | str
    draft: SafeString | str
    masked: bool
    updated_at: datetime
    kept_until: datetime | None
    priority: int
    losses: int
    resource: str
    cells: SafeString | str
    spare_cells: int
    child_counts: list[StatusCount]
    parent_address: str
    family_query: str
    applied_at: datetime | None
    conflict: bool


def details(
    read: TaskRead,
    user: User | AnonymousUser,
    audit: Sequence[AuditLine],
    *,
    names: Mapping[str, str],
    now: datetime,
    shows_text: bool,
) -> Details:
    """Return a task as its page shows it to this user.

    Args:
        names: Usernames by id.
        shows_text: Whether the user may read manuscript text.
    """
    task = read.task
    task_id = task["_id"]
    address = address_of(task_id)
    lease = task.get("lease")
    result = task.get("result")
    line = row(task, read.facts, subject=read.subject, names=names, now=now, shows_text=shows_text)
    family = ListState(parent=task_id)

    def shown(value: Any, key: str) -> SafeString | str:
        return tree(value if shows_text else masked(value), key) if value is not None else ""

    return Details(
        row=line,
        subject=marked(read.subject, _about(read)),
        panel=f"admin/tasks_app/backgroundtask/status/{task['status'].lower()}.html",
        reason=reason(task, line.clock, read.facts, owner=line.owner.name or line.owner.user_id, children=read.children, position=read.position),
        buttons=[Button(each, each.refusal(task) or "", f"{address}{each.name}/") for each in ACTIONS.values() if each.allowed(user)],
        edit_address=f"{address}edit/" if REQUEUE.allowed(user) else "",
        edit_refusal=REQUEUE.refusal(task) or "",
        error=_error(task.get("errorInfo"), shows_text),
        lease=Lease(lease["owner"], lease["expiresAt"]) if lease else None,
        steps=timeline(task, line.clock, audit),
        attempts=[_attempt(entry, shows_text) for entry in reversed(task.get("attempts", []))],
        parameters=tree(task.get("parameters", {}) if shows_text else masked(task.get("parameters", {})), "parameters"),
        result=shown(result, "result"),
        draft=shown(task.get("draft"), "draft"),
        masked=not shows_text,
        updated_at=task["updatedAt"],
        kept_until=task.get("expireAt"),
        priority=task["priority"],
        losses=task.get("crashCount", 0),
        resource=task.get("resource") or "",
        cells=_cells(read),
        spare_cells=max((read.children.total if read.children else 0) - MAX_CELLS, 0),
        child_counts=_child_counts(read, family),
        parent_address=address_of(line.parent_id) if line.parent_id else "",
        family_query=family.query_string(),
        applied_at=task.get("appliedAt"),
        conflict=bool((result or {}).get("conflict")),
    )


def _about(read: TaskRead) -> str:
    if read.subject is None or not read.subject.subject_id:
        return ""
    return list_address(ListState(about=read.subject.subject_id, user=read.task["userId"], children="1").query_string())


def _error(stored: Json | None, shows_text: bool) -> Error | None:
    if not stored:
        return None
    extras, code, message = stored.get("details") or {}, stored.get("code") or "", stored.get("message") or ""
    return Error(
        code,
        error_word(code),
        message if shows_text or not message else mask(message),
        tree(extras if shows_text else masked(extras), "error") if extras else "",
        bool(stored.get("retryable")),
        ListState(error=code, children="1").query_string() if code else "",
    )


def _attempt(entry: Json, shows_text: bool) -> Attempt:
    error, usage = entry.get("error") or {}, entry.get("usage") or {}
    started, ended = entry["startedAt"], entry["endedAt"]
    traceback, wait = error.get("traceback") or "", error.get("retryAfter")
    return Attempt(
        key=f"{entry['attempt']}-{started:%Y%m%d%H%M%S%f}",
        number=entry["attempt"],
        outcome=entry["outcome"],
        word=outcome_word(entry["outcome"]),
        started_at=started,
        took=duration((ended - started).total_seconds()),
        error=_error(error, shows_text),
        traceback=traceback if shows_text else masked_traceback(traceback),
        retry_after=duration(wait) if isinstance(wait, int | float) else "",
        prompt_tokens=number(usage.get("promptTokens", 0)),
        completion_tokens=number(usage.get("completionTokens", 0)),
        worker=entry.get("worker") or "",
    )


def _cells(read: TaskRead) -> SafeString | str:
    """Return the grid: a link for each child. Made here because a template takes a tenth of a second for two thousand of them."""
    if not read.cells:
        return ""
    base = list_address()
    looks = {status: status_look(status) for status in {cell["status"] for cell in read.cells}}
    cells = []
    for place, cell in enumerate(read.cells, start=1):
        look, subject = looks[cell["status"]], read.cell_subjects.get(cell["_id"])
        code = (cell.get("errorInfo") or {}).get("code")
        title = f"{place}. {subject.label if subject else cell['_id']}: {look.word}"
        cells.append((look.css, base, cell["_id"], f"{title} ({code})" if code else title))
    links = format_html_join("", '<li><a class="cell cell--{0}" href="{1}{2}/" title="{3}"><span class="visually-hidden">{3}</span></a></li>', cells)
    return format_html('<ul class="cells">{}</ul>', links)


def _child_counts(read: TaskRead, family: ListState) -> list[StatusCount]:
    by_status = read.children.by_status if read.children else {}
    return [
        StatusCount(status_look(status), number(by_status[status]), family.first_page(status=status.value).query_string())
        for status in TaskStatus
        if by_status.get(status)
    ]
