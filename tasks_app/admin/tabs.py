"""The tabs above the list, each with its number, and the numbers beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tasks_app.admin.counting import EXACT_LIMIT, Count, Place
from tasks_app.admin.filters import ListState
from tasks_app.admin.words import StatusLook, status_look
from tasks_app.documents import BATCH_LANE, SINGLE_LANE
from tasks_app.states import TaskStatus

Counts = dict[Place, Count]

COUNTING: Final = "…"
"""In the place of a number that is still being counted: the page's script asks again at once."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab; `status` is None for "All", and `query` lists it under the same filters."""

    key: str
    status: StatusLook | None
    count: str
    query: str
    current: bool


def tabs(state: ListState, counts: Counts) -> list[Tab]:
    """Return the tab of all tasks, and one for each status.

    Args:
        counts: {} while they are not known.
    """
    lanes = _lanes(state)
    every = Tab("ALL", None, counted(_sum(counts, TaskStatus, lanes)), state.first_page(status="").query_string(), not state.status)
    return [
        every,
        *(
            Tab(
                status.value,
                status_look(status),
                counted(_sum(counts, [status], lanes)),
                state.first_page(status=status.value).query_string(),
                state.task_status is status,
            )
            for status in TaskStatus
        ),
    ]


def total(counts: Counts, state: ListState) -> str:
    """Return how many tasks the list has, over all its pages."""
    return counted(_sum(counts, _statuses(state), _lanes(state)))


def hidden_children(counts: Counts, state: ListState) -> str:
    """Return how many tasks of batches the list leaves out; "" for none."""
    if state.with_children or not counts:
        return ""
    hidden = _sum(counts, _statuses(state), (BATCH_LANE,))
    return counted(hidden) if hidden and hidden.number else ""


def counted(count: Count | None) -> str:
    """Return a count as it is shown: exact to 10,000, above it an estimate of three digits, or the limit while there is none."""
    if count is None:
        return COUNTING
    if count.exact:
        return f"{count.number:,}"
    if not count.estimated:
        return f"{max(count.number, EXACT_LIMIT):,}+"
    digits = max(len(str(count.number)) - 3, 0)
    return f"≈ {round(count.number, -digits):,}"


def _statuses(state: ListState) -> Iterable[TaskStatus]:
    return [state.task_status] if state.task_status else TaskStatus


def _lanes(state: ListState) -> tuple[int, ...]:
    return (SINGLE_LANE, BATCH_LANE) if state.with_children else (SINGLE_LANE,)


def _sum(counts: Counts, statuses: Iterable[TaskStatus], lanes: tuple[int, ...]) -> Count | None:
    if not counts:
        return None
    number = Count(0)
    for status in statuses:
        for lane in lanes:
            number += counts[status, lane]
    return number
