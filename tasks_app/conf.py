"""The task system's settings, derived once from the environment."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

RENEWALS_PER_LEASE = 3  # renewed each third of a lease: two renewals may fail before it runs out
CANCEL_POLL_SECONDS = 0.5
POLL_SECONDS = 0.5
FAMILIES_SECONDS = 1.0
ROLL_UP_SECONDS = 0.25
ORPHAN_SWEEP_SECONDS = 5.0
TALLY_SECONDS = 3.0
MAX_ATTEMPT_RECORDS = 20
QUARANTINE_AFTER_LOSSES = 2
MAX_LOSSES = 3
MIN_PRIORITY, MAX_PRIORITY = -10, 10
BATCH_LANE_SHARE = 0.2
# Four heartbeats: a worker that has been silent for longer is not counted on.
WORKER_SILENCE = timedelta(seconds=8)
MAX_RESULT_BYTES = 1024 * 1024
MAX_RESULT_NESTING = 100  # what MongoDB promises: https://www.mongodb.com/docs/manual/reference/limits/
BLOCKED_LOOP_SECONDS = 0.1
CHILDREN_OUTLIVE = timedelta(hours=1)  # children are kept longer than their parent: no list shows a batch with half of them


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """What the task core needs of the environment; durations in seconds, limits with 0 = none."""

    worker_concurrency: int
    threads: int
    max_running: int
    max_running_per_user: int
    type_limits: dict[str, int]
    max_queued_per_user: int
    submit_rate: int
    lease_seconds: float
    progress_interval: float
    max_wait_seconds: float
    retention_seconds: float
    shutdown_grace: float

    @property
    def renewal_seconds(self) -> float:
        """The time between two renewals of a lease."""
        return self.lease_seconds / RENEWALS_PER_LEASE

    @property
    def trust_seconds(self) -> float:
        """How long a worker believes in a lease, counted from before its renewal was sent: a margin short of its end."""
        return self.lease_seconds - min(self.lease_seconds / 6, 5.0)


def task_settings() -> TaskSettings:
    """Return the task settings of `settings.AINOVAL` as it is now (tests override it)."""
    e = settings.AINOVAL
    return TaskSettings(
        worker_concurrency=e.tasks_worker_concurrency,
        threads=e.tasks_threads,
        max_running=e.tasks_max_running,
        max_running_per_user=e.tasks_max_running_per_user,
        type_limits=e.tasks_type_limits,
        max_queued_per_user=e.tasks_max_queued_per_user,
        submit_rate=e.tasks_submit_rate,
        lease_seconds=e.tasks_lease_seconds,
        progress_interval=e.tasks_progress_interval,
        max_wait_seconds=e.tasks_max_wait_hours * 3600,
        retention_seconds=e.tasks_retention_days * 86400,
        shutdown_grace=e.tasks_shutdown_grace,
    )
