"""Run a command that is told to stop when its starter dies: `python leash.py PARENT_PID COMMAND…`.

A child in a session of its own hears nothing when its starter is killed, and would keep the port and work on unseen. A program of its own, and not a
function that is called after the fork: the starter has threads, and nothing but exec is safe there.

Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for a SIGTERM at the parent's death (Linux only; it outlives exec), then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit("The process that started this one is gone already.")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
