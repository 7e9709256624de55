"""The API as it ships: uvicorn as docs/operations.md starts it, and writers who are logged in."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from benchmarks.place import Place
from benchmarks.processes import Group


@dataclass(frozen=True)
class Writer:
    """A user with an access token."""

    user_id: str
    token: str


def writers(number: int) -> list[Writer]:
    """Return so many users, made at the first call. Their tokens are issued as a log-in does, without the password."""
    from django.contrib.auth import get_user_model
    from rest_framework_simplejwt.tokens import RefreshToken

    users = get_user_model().objects
    found = list(users.filter(username__startswith="bench-").order_by("username")[:number])
    for index in range(len(found), number):
        found.append(users.create_user(username=f"bench-{index:03d}"))
    return [Writer(str(user.pk), str(RefreshToken.for_user(user).access_token)) for user in found]


@contextmanager
def server(place: Place, processes: int) -> Iterator[tuple[int, Group]]:
    """Run the API with so many processes; yields its port and its processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "ainoval.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(processes), "--timeout-graceful-shutdown", "10"]
    with place.run(*command, name="uvicorn") as group:
        deadline = time.monotonic() + 30
        # One of several processes may answer before the others are up: the load's warm-up covers that.
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if group.has_ended or time.monotonic() > deadline:
                raise SystemExit(f"the server did not start:\n{group.tail()}")
            time.sleep(0.05)
        time.sleep(0.5 + processes * 0.5)
        yield port, group
