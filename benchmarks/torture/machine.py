"""A Hypothesis state machine: submit, claim, renew, expire, crash, complete, fail, cancel, retry, requeue, apply and the rest, in any order.

`PureMachine` drives the model and the pure core: what an error means (`decide`), how a write is told from its trace (`verdict_of`), how a parent ends, the
table of states. `MongoMachine` does the same beside a real MongoDB through the shipped operations, and compares every task after every step. Tokens are never
forgotten: whoever won a claim may come back at any time and write, as a worker does that was held still.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ainoval.ids import new_id
from benchmarks.torture.model import MAX_ATTEMPTS, Issued, Model, Task
from benchmarks.torture.stored import Stored
from tasks_app import lifecycle
from tasks_app.errors import PermanentFailure, RetryLater
from tasks_app.families import child_id
from tasks_app.lifecycle import Transition
from tasks_app.outcomes import Fail, Retry, decide
from tasks_app.retry import RetryPolicy
from tasks_app.states import LEASED, TaskStatus
from tasks_app.worker.outbox import Verdict, verdict_of

Json = dict[str, Any]

OWNERS = ("ann", "ben", "cy")
USERS = ("alice", "bob")
MAX_TASKS = 8
CHILDREN = 2
POLICY = RetryPolicy(MAX_ATTEMPTS, timedelta(seconds=1), timedelta(seconds=2))
ERRORS = {"burns": RuntimeError("it broke"), "permanent": PermanentFailure("never"), "later": RetryLater(timedelta(seconds=1), "not now")}

picks = st.integers(0, 10_000)


@dataclass(frozen=True)
class Ending:
    """An ending that an attempt sends: the transition, what the model does, and in which states the write is accepted."""

    transition: Transition
    apply: Any
    accepted: frozenset[TaskStatus]

    @property
    def outcome(self) -> str:
        """What it puts on record."""
        outcome: str = self.transition.update["$push"]["attempts"]["$each"][0]["outcome"]  # type: ignore[call-overload]
        return outcome


class PureMachine(RuleBasedStateMachine):
    """Rules and invariants; `stored` is None here."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.issued: list[Issued] = []
        self.stored: Stored | None = self.storage()
        self.chance = random.Random(1)
        self.met: Counter[str] = Counter()  # losses, and writes that were refused

    def storage(self) -> Stored | None:
        """Return what the model is compared with."""
        return None

    def pick(self, number: int) -> Task:
        """Return one of the tasks."""
        tasks = list(self.model.tasks.values())
        return tasks[number % len(tasks)]

    def pick_issued(self, number: int) -> Issued:
        """Return one of the claims that were ever won, the younger more often."""
        return self.issued[-1 - min(number % 3 * (number % 7), len(self.issued) - 1)]

    def pick_owner(self, number: int) -> str:
        """Return a worker that holds something."""
        owners = sorted({task.owner for task in self.model.tasks.values() if task.token and task.owner})
        return owners[number % len(owners)]

    # --- submission and claims ---

    @initialize()
    def begin(self) -> None:
        """Have something to work on."""
        self.submit(0, False)
        self.submit(1, True)

    @precondition(lambda self: len(self.model.tasks) < MAX_TASKS)
    @rule(user=picks, family=st.booleans())
    def submit(self, user: int, family: bool) -> None:
        """Somebody submits a task, or a batch."""
        name = USERS[user % len(USERS)]
        children = CHILDREN if family else 0
        task_id = self.stored.submit(name, children) if self.stored else new_id()
        self.model.tasks[task_id] = Task(task_id, name, family=children)

    @rule(number=picks, owner=st.sampled_from(OWNERS))
    def claim(self, number: int, owner: str) -> None:
        """A worker claims one task, whatever has become of it since it looked."""
        due = [task for task in self.model.tasks.values() if task.status is TaskStatus.QUEUED]
        task, token = due[number % len(due)] if due and number % 4 else self.pick(number), new_id()
        won = self.model.claim(task, owner, token)
        if self.stored:
            assert self.stored.claim(task.id, owner, token) == won
        if won:
            self.issued.append(Issued(token, task.id, owner, task.attempt, task.generation))

    @rule(owner=st.sampled_from(OWNERS))
    def claim_group(self, owner: str) -> None:
        """A worker claims whatever is due, as its claim loop does: unwanted children end unrun, of tasks lost twice it takes one."""
        due = [task for task in self.model.tasks.values() if task.status is TaskStatus.QUEUED]
        if self.stored:
            token, taken = self.stored.claim_group(owner)
        else:
            token, poisonous = new_id(), [task for task in due if task.losses >= 2]
            taken = {task.id for task in due if task not in poisonous[1:] and not self.model.unwanted(task)}
        begun = 0
        for task in due:
            if task.losses >= 2 and task.id not in taken and not (self.model.unwanted(task) and begun == 0):
                continue
            begun += task.losses >= 2
            self.model.claim(task, owner, token)
            if self.model.unwanted(task):
                assert task.id not in taken
                self.model.cancel_unrun(task)
            else:
                assert task.id in taken, f"{task.id} was due and not taken"
                self.issued.append(Issued(token, task.id, owner, task.attempt, task.generation))
        assert begun <= 1, "two tasks that were lost twice were taken together"

    @rule(owner=st.sampled_from(OWNERS))
    def renew(self, owner: str) -> None:
        """A worker renews all it believes to hold."""
        self.model.renew(owner)
        if self.stored:
            self.stored.renew(owner, [issued.token for issued in self.issued if issued.owner == owner])

    @precondition(lambda self: self.model.live())
    @rule(number=picks)
    def expire(self, number: int) -> None:
        """A worker is silent until its leases have run out."""
        owner = self.pick_owner(number)
        self.model.expire(owner)
        if self.stored:
            self.stored.expire(owner)

    @precondition(lambda self: self.model.live())
    @rule(number=picks)
    def crash(self, number: int) -> None:
        """A worker dies, and its sentinel sees it."""
        owner = self.pick_owner(number)
        self.model.expire(owner)
        count = self.model.recover(owner)
        self.met["losses"] += count
        if self.stored:
            assert self.stored.recover_worker(owner) == count

    @rule()
    def sweep(self) -> None:
        """A sweep recovers what has run out."""
        count = self.model.recover()
        self.met["losses"] += count
        if self.stored:
            assert self.stored.recover_lost() == count

    # --- what an attempt writes ---

    def send(self, issued: Issued, ending: Ending) -> None:
        """Send an ending as the outbox does: execute, read back, and confirm a cancellation that came first."""
        task = self.model.tasks[issued.task]
        before = self.expected(task, issued, ending)
        assert verdict_of(ending.transition, self.document(task)) is before
        self.met["refused"] += before is Verdict.LOST
        self.met["met_a_cancellation"] += before is Verdict.CANCELLING
        written = ending.apply()
        if self.stored:
            assert self.stored.execute(ending.transition) == written
        assert written == (before is None)
        if written:
            # Its reply may be lost: sent again it changes nothing, and its trace tells that it was executed.
            assert verdict_of(ending.transition, self.document(task)) is Verdict.WRITTEN
            if self.stored:
                assert self.stored.execute(ending.transition) == 0
        elif before is Verdict.CANCELLING:
            confirm = lifecycle.confirm_cancel(task.id, self.record(issued), progress={}, expire_at=None)
            self.send(issued, Ending(confirm, lambda: self.model.confirm_cancel(issued), frozenset({TaskStatus.CANCELLING})))

    def expected(self, task: Task, issued: Issued, ending: Ending) -> Verdict | None:
        """Return what an attempt must read from its task before it sends an ending (again); None: not executed, and it may be sent."""
        if task.token == issued.token:
            return None if task.status in ending.accepted else Verdict.CANCELLING
        if ending.transition.name == "await_children":
            written = task.awaiting is not None and task.planted_by == issued.token
        else:
            written = (issued.token, ending.outcome) in task.entries
        return Verdict.WRITTEN if written else Verdict.LOST

    def document(self, task: Task) -> Json:
        """Return the task as it is stored; of the model alone, what a trace is looked for in."""
        if self.stored:
            return self.stored.read(task.id)
        document: Json = {"status": task.status.value, "attempts": [{"token": token, "outcome": outcome} for token, outcome in task.entries]}
        if task.token:
            document["lease"] = {"token": task.token}
        if task.awaiting is not None:
            document["children"] = {"token": task.planted_by}
        return document

    def record(self, issued: Issued) -> lifecycle.AttemptRecord:
        """Return what is kept of an attempt."""
        moment = Stored.now()
        return lifecycle.AttemptRecord(issued.number, issued.token, moment, moment, issued.owner)

    @precondition(lambda self: self.issued)
    @rule(number=picks)
    def complete(self, number: int) -> None:
        """An attempt does its effect and completes."""
        issued = self.pick_issued(number)
        if self.model.tasks[issued.task].family:
            return
        self.model.effect(issued)
        if self.stored:
            self.stored.effect(issued.task)
        transition = lifecycle.complete(issued.task, self.record(issued), result={"token": issued.token}, progress={}, expire_at=None)
        self.send(issued, Ending(transition, lambda: self.model.complete(issued), LEASED))

    @precondition(lambda self: self.issued)
    @rule(number=picks, kind=st.sampled_from(sorted(ERRORS)))
    def fail(self, number: int, kind: str) -> None:
        """An attempt raises; what follows is decided purely."""
        issued, record = self.pick_issued(number), self.record(self.pick_issued(number))
        decision = decide(ERRORS[kind], attempt=issued.number, policy=POLICY, waited_seconds=0.0, max_wait_seconds=60.0, rng=self.chance)
        running = frozenset({TaskStatus.RUNNING})
        match decision:
            case Fail(error):
                assert kind == "permanent" or issued.number >= MAX_ATTEMPTS
                transition = lifecycle.fail(issued.task, record, error, progress={}, expire_at=None)
                self.send(issued, Ending(transition, lambda: self.model.fail(issued), running))
            case Retry(delay, error, burns):
                assert burns == (kind == "burns") and (not burns or issued.number < MAX_ATTEMPTS)
                at = record.ended_at + timedelta(seconds=delay + 60)
                transition = lifecycle.retry(issued.task, record, error, progress={}, available_at=at, waited_seconds=0.0, burns_attempt=burns)
                self.send(issued, Ending(transition, lambda: self.model.retry(issued, burns=burns), running))

    @precondition(lambda self: self.issued)
    @rule(number=picks)
    def release(self, number: int) -> None:
        """A worker shuts down and hands an attempt back."""
        issued = self.pick_issued(number)
        transition = lifecycle.release(issued.task, self.record(issued))
        self.send(issued, Ending(transition, lambda: self.model.release(issued), frozenset({TaskStatus.RUNNING})))

    def being_cancelled(self) -> list[Issued]:
        """Return the attempts that somebody wants to stop."""
        tasks = self.model.tasks
        return [each for each in self.issued if tasks[each.task].token == each.token and tasks[each.task].status is TaskStatus.CANCELLING]

    @precondition(lambda self: self.being_cancelled())
    @rule(number=picks)
    def release_cancelled(self, number: int) -> None:
        """A worker hands back what somebody has cancelled meanwhile: left to chance, two hundred sequences may have nothing of it."""
        attempts = self.being_cancelled()
        issued = attempts[number % len(attempts)]
        self.send(issued, Ending(lifecycle.release(issued.task, self.record(issued)), lambda: self.model.release(issued), frozenset({TaskStatus.RUNNING})))

    @precondition(lambda self: self.issued)
    @rule(number=picks)
    def hand_back(self, number: int) -> None:
        """A claim went over a limit."""
        issued = self.pick_issued(number)
        changed = self.model.hand_back(issued)
        if self.stored:
            assert self.stored.execute(lifecycle.hand_back([issued.task], issued.token, delay_seconds=0.0)) == changed

    @precondition(lambda self: self.issued)
    @rule(number=picks)
    def report(self, number: int) -> None:
        """An attempt reports progress and saves a draft: both are accepted while it holds the task."""
        issued = self.pick_issued(number)
        holds = self.model.held(issued, *LEASED) is not None
        if self.stored:
            progress = {"percentage": 1, "message": issued.token, "current": None, "total": None}
            assert self.stored.execute(lifecycle.report_progress(issued.task, issued.token, progress, Stored.now())) == holds
            assert self.stored.execute(lifecycle.save_draft(issued.task, issued.token, {"text": "…"})) == holds

    @precondition(lambda self: any(self.model.tasks[issued.task].family for issued in self.issued))
    @rule(number=picks, finishes=st.booleans())
    def plant(self, number: int, finishes: bool) -> None:
        """A parent plants its children, perhaps half of them, and perhaps dies before it says so."""
        parents = [issued for issued in self.issued if self.model.tasks[issued.task].family]
        issued = parents[-1 - number % min(len(parents), 3)]
        keys = [str(each) for each in range(CHILDREN if finishes or number % 2 else 1)]
        planted = self.model.plant(issued, [child_id(issued.task, key) for key in keys])
        if self.stored:
            assert self.stored.plant(issued, keys) == planted
        if planted and finishes:
            total = len(self.model.children(issued.task))
            transition = lifecycle.await_children(issued.task, self.record(issued), total=total)
            self.send(issued, Ending(transition, lambda: self.model.await_children(issued, total), LEASED))

    # --- housekeeping, and what somebody asks for ---

    @rule()
    def roll_up(self) -> None:
        """A sweep brings parents up to date."""
        ended = self.model.roll_up()
        if self.stored:
            assert self.stored.roll_up() == ended

    @rule()
    def cancel_orphans(self) -> None:
        """A sweep cancels the children of ended parents."""
        self.model.cancel_orphans()
        if self.stored:
            self.stored.cancel_orphans()

    @rule(number=picks)
    def wait(self, number: int) -> None:
        """A delay is over, and what is due is queued."""
        task = self.pick(number)
        task.due = True
        self.model.promote()
        if self.stored:
            self.stored.wait_over(task.id)
            self.stored.execute(lifecycle.promote())

    @rule(number=picks)
    def cancel(self, number: int) -> None:
        """Somebody cancels: half the time what is running, if anything is."""
        running = [task for task in self.model.tasks.values() if task.status is TaskStatus.RUNNING]
        task = running[number % len(running)] if running and number % 2 else self.pick(number)
        accepted = self.model.cancel(task)
        if self.stored:
            assert self.stored.cancel(task.id) == accepted

    @rule(number=picks)
    def requeue(self, number: int) -> None:
        """Somebody sends a task back."""
        task = self.pick(number)
        accepted = self.model.requeue(task)
        if self.stored:
            assert self.stored.requeue(task.id) == accepted

    @rule(number=picks)
    def apply(self, number: int) -> None:
        """A result is applied: the first time counts."""
        task = self.pick(number)
        first = self.model.apply(task)
        if self.stored:
            assert self.stored.execute(lifecycle.mark_applied(task.id, Stored.now(), {})) == first

    # --- what always holds ---

    @invariant()
    def holds(self) -> None:
        """The invariants of the model, and beside MongoDB that every task is what the model says."""
        self.model.check()
        if self.stored:
            self.stored.compare(self.model)

    def teardown(self) -> None:
        """Leave nothing to the next sequence."""
        if self.stored:
            self.stored.clear()


class MongoMachine(PureMachine):
    """The same beside MongoDB."""

    def storage(self) -> Stored | None:
        """Return the database."""
        return Stored.shared()
