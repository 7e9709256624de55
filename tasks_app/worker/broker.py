"""django-q2's own packages (schedules, `async_task`), kept in MongoDB: a small broker with an index, through this process's one client."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from django_q.brokers import Broker
from django_q.conf import Conf
from pymongo import ReturnDocument

from ainoval import mongo

COLLECTION = "django_q_packages"
MAX_DELIVERIES = 5


class MongoBroker(Broker):
    """At least once: a package that nobody acknowledged within `Q_CLUSTER["retry"]` is delivered again, at most five times.

    Attributes:
        owner: The worker that takes packages by this broker: what it held is delivered again as soon as it is known to have ended.
    """

    owner: str | None = None

    @property
    def _packages(self) -> Any:
        # Looked up at each use: the broker is pickled and forked, connections are not.
        return mongo.sync_database()[COLLECTION]

    def enqueue(self, task: str) -> str:
        """Store a signed package."""
        document = {"queue": self.list_key, "payload": task, "dueAt": datetime.now(UTC), "deliveries": 0}
        return str(self._packages.insert_one(document).inserted_id)

    def dequeue(self) -> list[tuple[str, str]] | None:
        """Take the oldest package that is due, hidden from others until it is acknowledged or its time is over."""
        now = datetime.now(UTC)
        package = self._packages.find_one_and_update(
            {"queue": self.list_key, "dueAt": {"$lte": now}, "deliveries": {"$lt": MAX_DELIVERIES}},
            {"$set": {"dueAt": now + timedelta(seconds=Conf.RETRY), "takenBy": self.owner}, "$inc": {"deliveries": 1}},
            sort=[("dueAt", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return [(str(package["_id"]), package["payload"])] if package else None

    def hand_back(self, owner: str, *, lost: bool) -> int:
        """Make due at once what a worker took that has ended; return how much.

        Args:
            lost: It died, and a package may have been the reason: the delivery counts. Otherwise it was stopped.
        """
        held = {"queue": self.list_key, "takenBy": owner}
        update = {"$set": {"dueAt": datetime.now(UTC), "takenBy": None}, **({} if lost else {"$inc": {"deliveries": -1}})}
        return int(self._packages.update_many(held, update).modified_count)

    def acknowledge(self, task_id: str) -> None:
        """Forget a package that was executed."""
        self._packages.delete_one({"_id": ObjectId(task_id)})

    def fail(self, task_id: str) -> None:
        """Forget a package that cannot be read."""
        self.acknowledge(task_id)

    def delete(self, task_id: str) -> None:
        """Forget a package."""
        self.acknowledge(task_id)

    def queue_size(self) -> int:
        """How many packages are due."""
        return int(self._packages.count_documents({"queue": self.list_key, "dueAt": {"$lte": datetime.now(UTC)}}))

    def lock_size(self) -> int:
        """How many packages are being executed."""
        return int(self._packages.count_documents({"queue": self.list_key, "dueAt": {"$gt": datetime.now(UTC)}}))

    def purge_queue(self) -> int:
        """Delete every package of this queue."""
        return int(self._packages.delete_many({"queue": self.list_key}).deleted_count)

    def delete_queue(self) -> int:
        """Delete every package of this queue."""
        return self.purge_queue()

    def ping(self) -> bool:
        """Always ready: a cluster starts also while MongoDB is away, and works as soon as it is back."""
        return True

    def info(self) -> str:
        """What this broker is."""
        return "MongoDB (ainoval)"
