"""S7: random sequences of everything that can happen to a task, against a model: on the pure core, and on MongoDB."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from benchmarks.torture.machine import MongoMachine, PureMachine
from benchmarks.torture.scenario import Control, Play, Scenario
from benchmarks.torture.stored import Stored

STEPS = 30
MANY = 1_000


@dataclass(frozen=True, slots=True)
class Size:
    """Sequences on the pure core, and on MongoDB."""

    pure: int
    mongo: int


def broken_by(machine: type[RuleBasedStateMachine], sequences: int, seed: int) -> tuple[list[str], Counter[str]]:
    """Run so many sequences; return what broke (the shortest sequence that breaks it, as Hypothesis finds it), and how often each rule ran."""
    done: Counter[str] = Counter()

    class Counted(machine):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            done["sequences"] += 1

        def teardown(self) -> None:
            done["tasks"] += len(self.model.tasks)
            done["claims"] += len(self.issued)
            done.update(self.met)
            super().teardown()

    checks = settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # the shortest sequence may take an hour to find; tests/properties looks for it
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    try:
        run_state_machine_as_test(seeded(seed)(Counted), settings=checks)
    except Exception as exc:
        notes = "\n".join(getattr(exc, "__notes__", []))
        return [f"{type(exc).__name__}: {str(exc)[:300]} {notes[:1500]}"], done
    return [], done


async def play(on: Play) -> None:
    """Run both, in a thread: the machine has an event loop of its own."""
    await asyncio.to_thread(_play, on)


def _play(on: Play) -> None:
    size, line = on.size, on.line
    try:
        for name, machine, sequences in (("pure", PureMachine, size.pure), ("mongo", MongoMachine, size.mongo)):
            broken, done = broken_by(machine, sequences, line.seed)
            line.none(f"{name}_broken", broken)
            line.did(f"{name}_sequences", done["sequences"], sequences)
            for what, one_in in (("tasks", 1), ("claims", 2), ("losses", 100), ("refused", 100)):
                line.did(f"{name}_{what}", done[what], sequences // one_in)
            # Hypothesis leaves some rules out of a sequence: of a few sequences none may have both a cancellation and who meets it.
            line.did(f"{name}_met_a_cancellation", done["met_a_cancellation"], sequences // 200 if sequences >= MANY else 0)
    finally:
        Stored.close()


S7 = Scenario(
    "S7",
    "random sequences of every operation, against a model and against MongoDB",
    {"test": Size(50, 5), "quick": Size(300, 50), "full": Size(2_000, 200), "nightly": Size(20_000, 2_000)},
    play,
    Control("fencing", ("mongo_broken",)),
)
