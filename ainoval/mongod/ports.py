"""Ports of the loopback interface that a server can have, and keep."""

import secrets
import socket
import time

from ainoval.mongod.errors import MongodUnavailable


def is_free(port: int, patience: float = 0.0) -> bool:
    """Whether a server could listen there, now or within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as mongod does: TIME_WAIT does not count
            try:
                sock.bind(("127.0.0.1", port))
                sock.listen(1)
            except OSError:
                if time.monotonic() >= deadline:
                    return False
            else:
                return True
        time.sleep(0.02)


def free_port() -> int:
    """Choose a free port below the range from which the system takes ports of outgoing connections.

    From that range a client that hammers the port of a dead server can be given that very port and connect to itself,
    and the server cannot have it back.
    """
    for _ in range(200):
        port = 20000 + secrets.randbelow(12000)
        if is_free(port):
            return port
    raise MongodUnavailable("No free port was found between 20000 and 31999 on 127.0.0.1. Set MONGODB_URI.")
