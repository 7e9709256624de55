"""Slow down guessing, without a way to lock somebody else out.

Failures are counted by address *and* account. A count by account alone would let anybody close a writer's account by
guessing at it; one by address alone, everybody behind one router. The counts live in Django's cache: by default one for
each API process.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from django.core.cache import cache
from django.http import HttpRequest

from ainoval.api.errors import TooManyAttempts
from ainoval.errors import AinovalError

WINDOW_SECONDS = 60
MAX_FAILURES = 10

# An attempt weighs 1 while it runs, so that a hundred guesses sent at once do not all pass before the first is counted;
# a failed one keeps 3. Thirty right log-ins of one writer may run at once.
_RUNNING = 1
_FAILED = 3
_FULL = MAX_FAILURES * _FAILED


def client_address(request: HttpRequest) -> str:
    """Return the peer's address. X-Forwarded-For is not looked at: anybody can write it (uvicorn's
    --forwarded-allow-ips knows the proxies).
    """
    return str(request.META.get("REMOTE_ADDR", ""))


@contextmanager
def attempt(*key: str) -> Iterator[None]:
    """Run one attempt; an AinovalError out of the block is a failed one.

    Args:
        key: What failures are counted by.

    Raises:
        TooManyAttempts: Ten attempts of this key failed within a minute: the block is not run.
    """
    counter, ends_at = _counter(key)
    if _add(counter, _RUNNING) > _FULL:
        _add(counter, -_RUNNING)
        raise TooManyAttempts(ends_at - time.time())
    weight = 0
    try:
        yield
    except AinovalError:
        weight = _FAILED
        raise
    finally:
        _add(counter, weight - _RUNNING)


def _counter(key: tuple[str, ...]) -> tuple[str, float]:
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
    ends_at = cast(float, cache.get_or_set(f"attempts:{digest}", lambda: time.time() + WINDOW_SECONDS, WINDOW_SECONDS))
    return f"attempts:{digest}:{ends_at}", ends_at


def _add(counter: str, weight: int) -> int:
    cache.add(counter, 0, WINDOW_SECONDS * 2)
    try:
        return int(cache.incr(counter, weight))
    except ValueError:
        return 0  # evicted between the two calls: a full cache forgets, it does not lock out
