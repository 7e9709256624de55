"""A model of the task system in plain Python: what every operation must do, and the invariants that no sequence of them may break.

It uses the pure core where there is one (the table of states, `ended_status`) and describes the rest in its own words. `machine` drives it, alone and beside
MongoDB.
"""

from collections import Counter
from dataclasses import dataclass, field

from tasks_app import states
from tasks_app.conf import MAX_LOSSES
from tasks_app.families import ChildCounts, ended_status
from tasks_app.states import LEASED, REQUEUEABLE, TRANSITIONS, WAITING, TaskStatus

S = TaskStatus
MAX_ATTEMPTS = 2


@dataclass
class Task:
    """A task, as the model knows it.

    Attributes:
        family: How many children it will plant; 0 for plain work.
        token, owner, expired: Its lease; no token, no lease.
        awaiting, planted_by: Of a parent that has planted: how many children it waits for, and under which token it planted them.
        entries: The attempts on record, as (token, outcome).
        due: Whether its delay is over.
    """

    id: str
    user: str
    family: int = 0
    parent: str | None = None
    generation: int = 0
    status: TaskStatus = S.QUEUED
    attempt: int = 0
    losses: int = 0
    token: str | None = None
    owner: str | None = None
    expired: bool = False
    awaiting: int | None = None
    planted_by: str = ""
    entries: list[tuple[str, str]] = field(default_factory=list)
    due: bool = True
    applied: bool = False
    counts: dict[str, int] | None = None  # of an ended parent, as its result says

    def move(self, transition: str, to: TaskStatus) -> None:
        """Change the status as the table of states allows."""
        assert to in TRANSITIONS[transition].get(self.status, frozenset()), f"{transition} leads {self.status} -> {to}"
        self.status = to

    def drop_lease(self) -> None:
        """Have no lease any more."""
        self.token = self.owner = None
        self.expired = False

    def end(self, token: str, outcome: str) -> None:
        """Put an attempt on record that is over."""
        self.entries.append((token, outcome))
        self.drop_lease()


@dataclass(frozen=True)
class Issued:
    """A claim that was won: what the worker that won it knows from then on, whatever becomes of the task."""

    token: str
    task: str
    owner: str
    number: int
    generation: int


class Model:
    """All tasks. Every method returns whether the operation changes anything."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.ledger: Counter[str] = Counter()

    def children(self, parent: str) -> list[Task]:
        """Return a parent's children."""
        return [task for task in self.tasks.values() if task.parent == parent]

    def held(self, issued: Issued, *allowed: TaskStatus) -> Task | None:
        """Return the task if this claim still holds it, in one of these states."""
        task = self.tasks[issued.task]
        return task if task.token == issued.token and task.status in allowed else None

    # --- claims and leases ---

    def claim(self, task: Task, owner: str, token: str) -> bool:
        """QUEUED -> RUNNING."""
        if task.status is not S.QUEUED:
            return False
        task.move("claim", S.RUNNING)
        task.attempt += 1
        task.token, task.owner, task.expired = token, owner, False
        return True

    def unwanted(self, task: Task) -> bool:
        """Whether it is a child that must not be begun: its parent is being cancelled or has ended."""
        return task.parent is not None and self.tasks[task.parent].status in {S.CANCELLING, *states.TERMINAL}

    def cancel_unrun(self, task: Task) -> None:
        """RUNNING -> CANCELLED before the first line."""
        task.move("cancel_unrun", S.CANCELLED)
        task.attempt -= 1
        task.drop_lease()

    def renew(self, owner: str) -> None:
        """A worker extends what it holds, also what has run out."""
        for task in self.tasks.values():
            if task.owner == owner:
                task.expired = False

    def expire(self, owner: str) -> None:
        """Its leases run out."""
        for task in self.tasks.values():
            if task.owner == owner:
                task.expired = True

    def recover(self, owner: str | None = None) -> int:
        """A sweep takes what has run out; children of parents that have ended, by this or before, end with them."""
        lost = [task for task in self.tasks.values() if task.token and task.expired and owner in (None, task.owner)]
        for task in lost:
            token = task.token or ""
            if task.status is S.CANCELLING:
                task.move("recover", S.CANCELLED)
                task.end(token, "cancelled")
                continue
            task.losses += 1
            if task.losses >= MAX_LOSSES:
                task.move("recover", S.INTERRUPTED)
            else:
                task.move("recover", S.QUEUED)
                task.attempt -= 1
                task.due = True
            task.end(token, "lost")
        for task in lost:
            parent = task if task.family else self.tasks.get(task.parent or "")
            if parent is not None and parent.status.is_terminal:
                self.cancel_children(parent)
        return len(lost)

    # --- endings of an attempt ---

    def complete(self, issued: Issued) -> bool:
        """The result was there, cancelled or not."""
        if task := self.held(issued, S.RUNNING, S.CANCELLING):
            task.move("complete", S.COMPLETED)
            task.losses = 0
            task.end(issued.token, "completed")
        return task is not None

    def fail(self, issued: Issued) -> bool:
        """RUNNING -> FAILED."""
        if task := self.held(issued, S.RUNNING):
            task.move("fail", S.FAILED)
            task.losses = 0
            task.end(issued.token, "failed")
        return task is not None

    def retry(self, issued: Issued, *, burns: bool) -> bool:
        """RUNNING -> RETRYING; a wait that burns no attempt hands it back."""
        if task := self.held(issued, S.RUNNING):
            task.move("retry", S.RETRYING)
            task.losses = 0
            task.due = False
            task.attempt = issued.number if burns else issued.number - 1
            task.end(issued.token, "retry")
        return task is not None

    def release(self, issued: Issued) -> bool:
        """RUNNING -> QUEUED at a shutdown."""
        if task := self.held(issued, S.RUNNING):
            task.move("release", S.QUEUED)
            task.attempt = issued.number - 1
            task.end(issued.token, "released")
        return task is not None

    def hand_back(self, issued: Issued) -> bool:
        """RUNNING -> QUEUED without a trace."""
        if task := self.held(issued, S.RUNNING):
            task.move("release", S.QUEUED)
            task.attempt -= 1
            task.drop_lease()
        return task is not None

    def confirm_cancel(self, issued: Issued) -> bool:
        """CANCELLING -> CANCELLED."""
        if task := self.held(issued, S.CANCELLING):
            task.move("confirm_cancel", S.CANCELLED)
            task.losses = 0
            task.end(issued.token, "cancelled")
        return task is not None

    def effect(self, issued: Issued) -> None:
        """An attempt writes its line into the ledger, which takes one of each task."""
        self.ledger[issued.task] = 1

    # --- families ---

    def plant(self, issued: Issued, child_ids: list[str]) -> bool:
        """Store what is missing of the children, and send back to work what did not complete in an earlier life; not while one of those is being stopped."""
        parent = self.tasks[issued.task]
        if any(child.status is S.CANCELLING and child.generation < issued.generation for child in self.children(parent.id)):
            return False
        for child_id in child_ids:
            if child_id not in self.tasks:
                self.tasks[child_id] = Task(child_id, parent.user, parent=parent.id, generation=issued.generation)
        for child in self.children(parent.id):
            if child.generation < issued.generation and child.status in REQUEUEABLE:
                self._requeue(child)
                child.generation = issued.generation
        return True

    def await_children(self, issued: Issued, total: int) -> bool:
        """The parent holds no lease from here on."""
        if task := self.held(issued, S.RUNNING, S.CANCELLING):
            task.awaiting, task.planted_by = total, issued.token
            task.losses = 0
            task.drop_lease()
        return task is not None

    def roll_up(self) -> int:
        """End the parents whose children have ended; return how many."""
        ended = 0
        for parent in list(self.tasks.values()):
            if parent.status not in LEASED or parent.token or parent.awaiting is None:
                continue
            if parent.status is S.CANCELLING:
                self.cancel_children(parent)
            children = self.children(parent.id)
            counts = Counter(child.status.value for child in children)
            if len(children) < parent.awaiting or not all(child.status.is_terminal for child in children):
                continue
            if parent.status is S.CANCELLING:
                parent.move("confirm_cancel", S.CANCELLED)
                outcome = "cancelled"
            else:
                status = ended_status(ChildCounts(len(children), dict(counts)))
                parent.move("fail" if status is S.FAILED else "complete", status)
                outcome = "failed" if status is S.FAILED else "completed"
            parent.end(parent.planted_by, outcome)
            parent.counts = dict(counts)
            ended += 1
        return ended

    def cancel_children(self, parent: Task) -> None:
        """Cancel what has not ended of its children."""
        for child in self.children(parent.id):
            if child.status in WAITING:
                child.move("cancel", S.CANCELLED)
            elif child.status is S.RUNNING:
                child.move("cancel", S.CANCELLING)

    def cancel_orphans(self) -> None:
        """Cancel the children of ended parents of which one is still queued."""
        for parent in self.tasks.values():
            if parent.status.is_terminal and any(child.status is S.QUEUED for child in self.children(parent.id)):
                self.cancel_children(parent)

    # --- what somebody asks for ---

    def cancel(self, task: Task) -> bool:
        """Return whether the answer is 202 (also while it is being cancelled) or 409."""
        accepted = not task.status.is_terminal
        if task.status in WAITING:
            task.move("cancel", S.CANCELLED)
        elif task.status is S.RUNNING:
            task.move("cancel", S.CANCELLING)
        awaits = task.status is S.CANCELLING and task.awaiting is not None and not task.token
        planted = task.status is S.CANCELLED and task.parent is None and bool(task.entries)
        if awaits or planted:
            self.cancel_children(task)
        return accepted

    def promote(self) -> None:
        """RETRYING -> QUEUED for what is due."""
        for task in self.tasks.values():
            if task.status is S.RETRYING and task.due:
                task.move("promote", S.QUEUED)

    def requeue(self, task: Task) -> bool:
        """As if new; a child is run again by its parent alone."""
        if task.parent is not None or task.status not in REQUEUEABLE:
            return False
        self._requeue(task)
        task.generation += 1
        return True

    def _requeue(self, task: Task) -> None:
        task.move("requeue", S.QUEUED)
        task.attempt = task.losses = 0
        task.awaiting = task.counts = None
        task.due = True

    def apply(self, task: Task) -> bool:
        """The first application counts."""
        first, task.applied = not task.applied, True
        return first

    # --- what always holds ---

    def check(self) -> None:
        """Assert the invariants."""
        for task in self.tasks.values():
            assert 0 <= task.attempt <= MAX_ATTEMPTS, f"attempt {task.attempt}"
            assert 0 <= task.losses <= MAX_LOSSES
            assert not (task.status.is_terminal and task.token), "an ended task holds a lease"
            assert (task.status in LEASED) == (task.token is not None or task.awaiting is not None) or task.status.is_terminal or task.status in WAITING
            assert len({token for token, _ in task.entries}) == len(task.entries), "an attempt ended twice"
            if task.counts is not None and task.status.is_terminal:
                assert task.counts == dict(Counter(child.status.value for child in self.children(task.id))), "a parent's counts are not its children's"
        assert set(self.ledger.values()) <= {1}, "an effect was done twice"

    def live(self) -> dict[str, int]:
        """Return how many leases each user has."""
        return dict(Counter(task.user for task in self.tasks.values() if task.token))
