"""Measures each step that a coroutine takes on the loop: one that blocks it delays hundreds of others, and must be named."""

import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from tasks_app.conf import BLOCKED_LOOP_SECONDS

T = TypeVar("T")


class timed(Coroutine[Any, Any, T]):  # noqa: N801 - used like a function: create_task(timed(work(), on_slow))
    """Wraps a coroutine; calls `on_slow(seconds)` after any step that took longer than a tenth of a second."""

    __slots__ = ("_coro", "_on_slow")

    def __init__(self, coro: Coroutine[Any, Any, T], on_slow: Callable[[float], None]) -> None:
        self._coro = coro
        self._on_slow = on_slow

    def send(self, value: Any) -> Any:
        """Take one step."""
        start = time.perf_counter()
        try:
            return self._coro.send(value)
        finally:
            self._judge(start)

    def throw(self, typ: Any, val: BaseException | object = None, tb: TracebackType | None = None) -> Any:
        """Take one step that begins with an exception."""
        start = time.perf_counter()
        try:
            return self._coro.throw(typ) if val is None else self._coro.throw(typ, val, tb)
        finally:
            self._judge(start)

    def _judge(self, start: float) -> None:
        if (taken := time.perf_counter() - start) > BLOCKED_LOOP_SECONDS:
            self._on_slow(taken)

    def close(self) -> None:
        """End the coroutine."""
        self._coro.close()

    def __await__(self) -> Any:
        return self._coro.__await__()
