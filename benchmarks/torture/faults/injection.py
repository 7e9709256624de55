"""A database whose calls fail: one in ten before it is executed, one in twenty after; of the groups of writes, one in five half-way.

What is raised is what the driver raises when a connection breaks, a primary steps down or nobody is found who takes writes. The driver's own repetition of
writes is below this: what is thrown here is what is left when it was in vain.
"""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pymongo.errors import AutoReconnect, BulkWriteError, NetworkTimeout, NotPrimaryError, ServerSelectionTimeoutError

BEFORE, AFTER = 0.10, 0.05
HALF = 0.20  # of the groups, for they are few: one in forty left a small run without any

CALLS = {
    *("insert_one", "insert_many", "update_one", "update_many", "bulk_write", "find_one", "find_one_and_update", "delete_one", "delete_many"),
    *("count_documents", "aggregate", "distinct", "index_information", "watch", "command"),
}
GROUPS = {"insert_many", "bulk_write"}
INNER = {"client", "admin"}


class Dice:
    """Decides which call fails, and notes it in a file that all processes share."""

    def __init__(self, path: str) -> None:
        self._rng = random.Random(f"{os.getpid()}-{path}")
        self._pid = os.getpid()
        self._path = path

    def _fresh(self) -> random.Random:
        if self._pid != os.getpid():  # a forked worker must not repeat its sister's luck
            self._pid, self._rng = os.getpid(), random.Random(f"{os.getpid()}-{self._path}")
        return self._rng

    def throw(self, *, group: bool = False) -> str | None:
        """Return `before`, `after`, for a group of writes also `half`, or None for the next call."""
        luck = self._fresh().random()
        if luck < BEFORE:
            return "before"
        if luck < BEFORE + AFTER:
            return "after"
        return "half" if group and luck < BEFORE + AFTER + HALF else None

    def fail(self, kind: str, call: str) -> None:
        """Note a fault and raise it."""
        with open(self._path, "ab", buffering=0) as file:
            file.write(f"{kind} {call}\n".encode())
        errors: list[Callable[[], Exception]] = [
            lambda: AutoReconnect("connection closed"),
            lambda: NetworkTimeout("timed out"),
            lambda: NotPrimaryError("not primary", {"code": 10107}),
        ]
        if kind == "before":
            errors.append(lambda: ServerSelectionTimeoutError("no primary"))
        raise self._rng.choice(errors)()


class Faulty:
    """Stands before a client, a database or a collection, and passes on what is asked of it, unless the dice say otherwise."""

    def __init__(self, target: Any, dice: Dice) -> None:
        self._target = target
        self._dice = dice

    def __getitem__(self, name: str) -> "Faulty":
        return Faulty(self._target[name], self._dice)

    def get_collection(self, name: str, **options: Any) -> "Faulty":
        """Return a collection that fails, too."""
        return Faulty(self._target.get_collection(name, **options), self._dice)

    def find(self, *args: Any, **options: Any) -> "FaultyCursor":
        """Return a cursor whose reading fails."""
        return FaultyCursor(self._target.find(*args, **options), self._dice)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name in INNER:
            return Faulty(value, self._dice)
        return self._failing(name, value) if name in CALLS else value

    def _failing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def failing(*args: Any, **options: Any) -> Any:
            fault = self._dice.throw(group=name in GROUPS and len(args[0]) > 1)
            if fault == "before":
                self._dice.fail(fault, name)
            if fault == "half":
                with suppress(BulkWriteError):  # what the server says of its half is lost, too: an id that is there already, for one
                    await call(args[0][: len(args[0]) // 2], *args[1:], **options)
                self._dice.fail(fault, name)
            answer = await call(*args, **options)
            if fault is not None:
                self._dice.fail(fault, name)
            return answer

        return failing


class FaultyCursor:
    """A cursor that fails when it is read: at its first batch, for what it read may be gone when its reader has the second."""

    def __init__(self, cursor: Any, dice: Dice) -> None:
        self._cursor = cursor
        self._dice = dice
        self._read = False

    def __getattr__(self, name: str) -> Any:
        def chained(*args: Any, **options: Any) -> "FaultyCursor":
            getattr(self._cursor, name)(*args, **options)
            return self

        return chained

    def _throw(self) -> None:
        if not self._read and (fault := self._dice.throw()):
            self._dice.fail("before" if fault == "before" else "after", "find")
        self._read = True

    async def to_list(self, length: int | None = None) -> list[Any]:
        """Read all, or fail."""
        self._throw()
        found: list[Any] = await self._cursor.to_list(length)
        return found

    def __aiter__(self) -> "FaultyCursor":
        return self

    async def __anext__(self) -> Any:
        self._throw()
        return await anext(self._cursor)
