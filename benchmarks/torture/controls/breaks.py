"""The safeguards, each with what the project would be without it. Nothing of the project imports this."""

from collections.abc import Callable
from typing import Any

from ainoval import mongo
from ainoval.ids import new_id
from tasks_app import families, lifecycle, maintenance, operations
from tasks_app.lifecycle import endings
from tasks_app.worker.attempt import Attempt, StopReason
from tasks_app.worker.claims import Claimer
from tasks_app.worker.limits import Live
from tasks_app.worker.worker import Worker

Json = dict[str, Any]


def recovery() -> None:
    """Nobody takes up what a lost worker held."""

    async def nothing(*args: Any, **options: Any) -> int:
        return 0

    maintenance.recover_lost = maintenance.recover_worker = nothing


def durability() -> None:
    """A write is acknowledged before it is in the journal."""
    mongo._FIXED.update(w=1, journal=False)


def local_watch() -> None:
    """A worker does not notice that it has lost a lease, and does not doubt one: only the fence in the database is left."""
    stop = Attempt.stop

    async def certain(self: Attempt) -> None:
        return

    def careless(self: Attempt, reason: StopReason) -> None:
        if reason is not StopReason.LEASE_LOST:
            stop(self, reason)

    Attempt.certain = certain  # type: ignore[method-assign]
    Attempt.stop = careless  # type: ignore[method-assign]


def fencing() -> None:
    """What an attempt writes is conditional on the task's id alone."""
    endings.held_by = lambda task_id, token, status: {"_id": task_id}  # type: ignore[attr-defined]
    local_watch()


def repeatability() -> None:
    """Ids are made anew each time: what is repeated is done twice."""
    families.derived_id = operations.derived_id = lambda *parts: new_id()  # type: ignore[attr-defined]


def release() -> None:
    """A worker that is told to stop does so at once, and hands nothing back."""

    async def at_once(self: Worker, claims: Any) -> None:
        return

    Worker._shut_down = at_once  # type: ignore[method-assign]


def second_count() -> None:
    """A claim that went over a limit keeps what it won."""

    async def keep(self: Claimer, won: list[Json], live: Live, token: str) -> list[Json]:
        return won

    Claimer._hand_back_excess = keep  # type: ignore[method-assign]


def claim_condition() -> None:
    """A claim takes what its search has found, whatever has become of it since."""
    claim = lifecycle.claim

    def unconditional(*args: Any, **options: Any) -> lifecycle.Transition:
        transition = claim(*args, **options)
        del transition.filter["status"]
        return transition

    lifecycle.claim = unconditional


def parents_condition() -> None:
    """Whoever has counted a parent's children ends it, whatever has become of it since."""
    finish = lifecycle.finish_parent

    def unconditional(*args: Any, **options: Any) -> lifecycle.Transition:
        transition = finish(*args, **options)
        transition.filter.clear()
        transition.filter["_id"] = args[0]["_id"]
        return transition

    lifecycle.finish_parent = unconditional


BREAKS: dict[str, Callable[[], None]] = {
    each.__name__: each for each in (recovery, durability, local_watch, fencing, repeatability, release, second_count, claim_condition, parents_condition)
}
