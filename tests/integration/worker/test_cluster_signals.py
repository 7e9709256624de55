"""What signals do to the sentinel, in a process of its own."""

import os
import subprocess
import sys

from tests.support.cluster import PROJECT_ROOT

RAIN = """
import django; django.setup()
import os, signal, threading, uuid
from tasks_app.worker.cluster import TaskSentinel

sentinel = TaskSentinel(uuid.uuid4(), os.getppid())

def rain():
    for _ in range(20_000):
        os.kill(os.getpid(), signal.SIGTERM)

sky = threading.Thread(target=rain)
sky.start()
while sky.is_alive():
    sentinel.stop_event.wait(0.001)
print("heard" if sentinel.stop_event.is_set() else "deaf")
"""


def test_a_sigterm_that_arrives_while_the_last_one_is_being_noticed_does_not_hang_the_sentinel() -> None:
    """A signal to the whole group reaches it twice at once: from the group, and from its main process, which passes it on."""
    done = subprocess.run([sys.executable, "-c", RAIN], cwd=PROJECT_ROOT, env=os.environ, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.returncode) == ("heard\n", 0), done.stderr


FORKED = """
import django; django.setup()
import os, time, uuid
from tasks_app.worker.cluster import TaskSentinel

sentinel = TaskSentinel(uuid.uuid4(), os.getppid())
child = os.fork()
if not child:
    sentinel.stop_event.set()  # what the handler does that a fork inherits
    os._exit(0)
os.waitpid(child, 0)
began = time.monotonic()
told = [sentinel.stop_event.wait(0.2) for _ in range(5)]
print(any(told), time.monotonic() - began > 0.7)
"""


def test_a_worker_that_is_signalled_before_it_has_handlers_of_its_own_does_not_keep_the_sentinel_awake() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], cwd=PROJECT_ROOT, env=os.environ, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.returncode) == ("False True\n", 0), done.stderr
