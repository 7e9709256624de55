"""The peers: how each is run on two cores, after its own documentation, and what of it is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

APPS = "benchmarks.peers.apps"
Command = tuple[str, ...]


@dataclass(frozen=True)
class Way:
    """Worker programs, and what is in their environment."""

    commands: tuple[Command, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """One way to run a peer.

    Args:
        module: Its application among the apps.
        needs: Its server: "redis", "mongo" or "postgres".
        settings: How it is configured, for the page.
        drain: For tasks that do nothing (also for dispatch and idleness).
        waits: For 2,000 tasks that wait; None: not measured, it has no way to hold so many.
        many_waits: For 10,000.
        environment: Of workers and producers.
        submits: Whether submitting is measured (it does not depend on the kind of worker).
        stop_with_interrupt: Its graceful signal is SIGINT.
        own_environment: Its packages contradict the others'.
    """

    name: str
    module: str
    needs: str
    settings: str
    drain: Way
    waits: Way | None = None
    many_waits: Way | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    submits: bool = True
    stop_with_interrupt: bool = False
    own_environment: bool = False


def _celery(*options: str, node: str = "a") -> Command:
    return ("celery", "-A", f"{APPS}.celery_app", "worker", "--loglevel", "WARNING", "-n", f"{node}@bench", *options)


def _celery_gevent(greenlets: int, prefetch: int) -> Way:
    return Way(tuple(_celery("-P", "gevent", "-c", str(greenlets), node=node) for node in "ab"), {"BENCH_PREFETCH": str(prefetch)})


def _dramatiq(program: str, threads: int, **environment: str) -> Way:
    return Way(((program, f"{APPS}.dramatiq_app", "--processes", "2", "--threads", str(threads), "--skip-logging"),), environment)


def _taskiq(slots: int) -> Way:
    return Way((("taskiq", "worker", f"{APPS}.taskiq_app:broker", "--workers", "2", "--max-async-tasks", str(slots), "--log-level", "WARNING"),))


def _arq(slots: int) -> Way:
    return Way((("arq", f"{APPS}.arq_app.WorkerSettings"),) * 2, {"BENCH_SLOTS": str(slots)})


def _huey(kind: str, workers: int, consumers: int) -> Way:
    command = ("huey_consumer", f"{APPS}.huey_app.huey", "-k", kind, "-w", str(workers), "-q")
    return Way((command,) * consumers, {"BENCH_GREENLETS": "wanted"} if kind == "greenlet" else {})


def _django_q2(workers: int) -> Way:
    return Way((("django-admin", "qcluster"),), {"BENCH_SLOTS": str(workers)})


def _procrastinate(slots: int) -> Way:
    return Way((("procrastinate", "--app", f"{APPS}.procrastinate_app.app", "worker", "-c", str(slots)),) * 2)


CELERY_PREFORK = Way((_celery("-c", "2"),), {"BENCH_PREFETCH": "128"})
RESULTS = {"BENCH_RESULTS": "wanted"}
DJANGO = {"DJANGO_SETTINGS_MODULE": f"{APPS}.django_q2_settings"}

PEERS = (
    Peer(
        "Celery prefork",
        "celery_app",
        "redis",
        "2 prefork processes, prefetch multiplier 128 (for many short tasks), results ignored",
        drain=CELERY_PREFORK,
    ),
    Peer(
        "Celery gevent",
        "celery_app",
        "redis",
        "2 workers with 1,000 greenlets (5,000 for 10,000 tasks), prefetch multiplier 1 for waits so that both workers get their share, results ignored",
        drain=_celery_gevent(1_000, 4),
        waits=_celery_gevent(1_000, 1),
        many_waits=_celery_gevent(5_000, 1),
        submits=False,
    ),
    Peer(
        "Celery with MongoDB results",
        "celery_app",
        "redis",
        "as the two above (prefork for no-op tasks, gevent for waits), results stored in the MongoDB that ours uses",
        drain=CELERY_PREFORK,
        waits=_celery_gevent(1_000, 1),
        environment=RESULTS,
        submits=False,
    ),
    Peer(
        "dramatiq threads",
        "dramatiq_app",
        "redis",
        "2 processes with 8 threads (its defaults)",
        drain=_dramatiq("dramatiq", 8),
    ),
    Peer(
        "dramatiq gevent",
        "dramatiq_app",
        "redis",
        "2 processes with 1,000 greenlets (5,000 for 10,000 tasks), 64 connections each; for waits each fetches as many messages as it has greenlets",
        drain=_dramatiq("dramatiq-gevent", 1_000),
        waits=_dramatiq("dramatiq-gevent", 1_000, dramatiq_queue_prefetch="1000"),
        many_waits=_dramatiq("dramatiq-gevent", 5_000, dramatiq_queue_prefetch="5000"),
        submits=False,
    ),
    Peer(
        "taskiq",
        "taskiq_app",
        "redis",
        "2 processes with 1,000 tasks at once (5,000 for 10,000 tasks), list broker (no acknowledgement), uvloop, no results",
        drain=_taskiq(1_000),
        waits=_taskiq(1_000),
        many_waits=_taskiq(5_000),
    ),
    Peer(
        "arq",
        "arq_app",
        "redis",
        "2 processes with 1,000 jobs at once (5,000 for 10,000 jobs), results not kept",
        drain=_arq(1_000),
        waits=_arq(1_000),
        many_waits=_arq(5_000),
        own_environment=True,
    ),
    Peer(
        "huey",
        "huey_app",
        "redis",
        "2 worker processes; for waits 2 consumers with 1,000 greenlets; results not kept",
        drain=_huey("process", 2, consumers=1),
        waits=_huey("greenlet", 1_000, consumers=2),
        stop_with_interrupt=True,
    ),
    Peer(
        "stock django-q2 on Redis",
        "django_q2_app",
        "redis",
        "2 worker processes (100 for waits), successes not stored",
        drain=_django_q2(2),
        waits=_django_q2(100),
        environment=DJANGO,
    ),
    Peer(
        "stock django-q2 on MongoDB",
        "django_q2_app",
        "mongo",
        "the same, with its MongoDB broker on the MongoDB that ours uses",
        drain=_django_q2(2),
        waits=_django_q2(100),
        environment=DJANGO,
    ),
    Peer(
        "procrastinate",
        "procrastinate_app",
        "postgres",
        "2 processes with 20 jobs at once (1,000 for waits)",
        drain=_procrastinate(20),
        waits=_procrastinate(1_000),
    ),
)
