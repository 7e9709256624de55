"""The list's state, all of it in its address: which tab, which filters, which page."""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from django.http import QueryDict

from tasks_app.queries import TaskFilter
from tasks_app.states import TaskStatus

PAGE_SIZE: Final = 50
DEPTH: Final = 100_000  # past this a filter finds what pages do not: skipping costs MongoDB time
LAST_PAGE: Final = DEPTH // PAGE_SIZE
VALUE_MAX_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class ListState:
    """What the list shows. Values that make no sense are dropped rather than refused: an address is easily mistyped.

    Attributes:
        status: The tab; None shows all.
        task_type, user, parent: The filters, "" for none; `user` is a name or an id, as typed.
        children: With the tasks of batches, too.
        page: From 1.
    """

    status: TaskStatus | None = None
    task_type: str = ""
    user: str = ""
    parent: str = ""
    children: bool = False
    page: int = 1

    @classmethod
    def parse(cls, query: QueryDict) -> "ListState":
        """Return the state that an address describes."""
        status = _text(query, "status").upper()
        page = _text(query, "p")
        return cls(
            status=TaskStatus(status) if status in TaskStatus.__members__ else None,
            task_type=_text(query, "type"),
            user=_text(query, "user"),
            parent=_text(query, "parent"),
            children=_text(query, "children") == "1",
            page=min(max(int(page), 1), LAST_PAGE) if page.isascii() and page.isdigit() and len(page) < 10 else 1,
        )

    @property
    def filtered(self) -> bool:
        """Whether any filter beside the tab is set."""
        return bool(self.task_type or self.user or self.parent or self.children)

    def task_filter(self, user_id: str | None) -> TaskFilter:
        """Return the state as the queries take it.

        Args:
            user_id: Of the user that `user` names; None when there is no such filter.
        """
        return TaskFilter(
            user_id=user_id,
            statuses=(self.status,) if self.status else (),
            task_type=self.task_type or None,
            parent_id=self.parent or None,
            include_children=self.children,
        )

    def query_string(self) -> str:
        """Return the state as an address carries it, the shortest form; "" for the plain list."""
        values = {
            "status": self.status.value if self.status else "",
            "type": self.task_type,
            "user": self.user,
            "parent": self.parent,
            "children": "1" if self.children else "",
            "p": str(self.page) if self.page > 1 else "",
        }
        return urlencode({name: value for name, value in values.items() if value})

    def on_tab(self, status: TaskStatus | None) -> "ListState":
        """Return the first page of another tab, under the same filters."""
        return replace(self, status=status, page=1)

    def on_page(self, page: int) -> "ListState":
        """Return another page of the same list."""
        return replace(self, page=page)


def _text(query: QueryDict, name: str) -> str:
    # NUL: PostgreSQL refuses it even in a comparison.
    return query.get(name, "").replace("\0", "").strip()[:VALUE_MAX_LENGTH]
