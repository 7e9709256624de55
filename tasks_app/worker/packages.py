"""Executes django-q2's own packages (schedules, `async_task`) in two daemon threads of each worker, beside the tasks.

Not through django-q2's shared queue: whoever is killed while it waits on that holds its lock for ever.
"""

import threading
import time
import traceback
from contextlib import suppress
from pydoc import locate
from typing import Any

from django.db import connections
from django.utils import timezone
from django_q.conf import Conf
from django_q.monitor import save_task
from django_q.scheduler import scheduler
from django_q.signing import BadSignature, SignedPackage

from ainoval import mongo
from ainoval.logs import get_logger
from tasks_app.worker.broker import MongoBroker

THREADS = 2
AWAY_SECONDS = 5.0
SCHEDULE_SECONDS = 30.0
HAND_BACK_SECONDS = 0.5

log = get_logger(__name__)


def start_package_threads(stopping: threading.Event, owner: str, predecessor: str | None) -> None:
    """Start the threads; they end with the process, or soon after `stopping` is set.

    Args:
        owner: This worker.
        predecessor: The one that it replaces, which died: what that one was executing begins again.
    """
    looking = threading.Lock()
    for number in range(THREADS):
        arguments = (stopping, looking, number == 0, owner, predecessor if number == 0 else None)
        threading.Thread(target=_execute_packages, args=arguments, name=f"packages-{number}", daemon=True).start()


def hand_back_packages(owner: str) -> None:
    """Let others execute at once what this worker was executing when it was told to stop. While MongoDB is away nothing waits for it."""

    def hand_back() -> None:
        with suppress(*mongo.UNAVAILABLE):
            MongoBroker(Conf.CLUSTER_NAME).hand_back(owner, lost=False)

    thread = threading.Thread(target=hand_back, daemon=True)
    thread.start()
    thread.join(HAND_BACK_SECONDS)


def _execute_packages(stopping: threading.Event, looking: threading.Lock, schedules: bool, owner: str, predecessor: str | None) -> None:
    broker = MongoBroker(Conf.CLUSTER_NAME)
    broker.owner = owner
    next_schedules = time.monotonic() + SCHEDULE_SECONDS
    while not stopping.is_set():
        try:
            if predecessor is not None:
                broker.hand_back(predecessor, lost=True)
                predecessor = None
            if schedules and time.monotonic() >= next_schedules:
                # Here and not in the sentinel: what guards the workers must never wait for a database. Its transaction keeps two workers apart.
                next_schedules = time.monotonic() + SCHEDULE_SECONDS
                scheduler(broker)
                connections.close_all()
            with looking:  # by turns: an idle worker pays for one search each `poll`
                packages = broker.dequeue()
                if not packages:
                    stopping.wait(Conf.POLL)
            for ack_id, payload in packages or ():
                _execute(broker, ack_id, payload)
        except mongo.UNAVAILABLE:
            stopping.wait(AWAY_SECONDS)
        except Exception:
            log.exception("package_failed")
            stopping.wait(AWAY_SECONDS)


def _execute(broker: MongoBroker, ack_id: str, payload: str) -> None:
    try:
        package: dict[str, Any] = SignedPackage.loads(payload)
    except (TypeError, BadSignature):
        log.error("package_unreadable", package=ack_id)
        broker.fail(ack_id)
        return
    function: Any = package["func"] if callable(package["func"]) else locate(package["func"])
    try:
        if function is None:
            raise ValueError(f"Function {package['func']} is not defined")
        package["result"], package["success"] = function(*package["args"], **package["kwargs"]), True
    except (Exception, SystemExit) as exc:  # who calls sys.exit() would end this thread, which nobody starts again
        package["result"], package["success"] = f"{exc} : {traceback.format_exc()}", False
        log.exception("package_failed", package=package["name"])
    finally:
        connections.close_all()
    package["stopped"] = timezone.now()
    package["ack_id"] = ack_id
    package["cluster"] = Conf.CLUSTER_NAME
    save_task(package, broker)
    connections.close_all()
    if package["success"] or package.get("ack_failure", False):
        broker.acknowledge(ack_id)
