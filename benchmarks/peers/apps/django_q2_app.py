"""Stock django-q2: successes are not stored in Django's database (save_limit −1)."""

import asyncio
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.peers.apps.django_q2_settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django_q.brokers import get_broker  # noqa: E402
from django_q.tasks import async_task  # noqa: E402

# Without a broker of one's own each submission makes a new one, and a new client with it.
broker = get_broker()

PATHS = {"noop": "benchmarks.peers.apps.bodies.nothing", "wait": "benchmarks.peers.apps.bodies.sleep"}


async def opened() -> None:
    """Make Django's tables."""
    await asyncio.to_thread(call_command, "migrate", verbosity=0)


async def queue(task: str, number: int) -> None:
    """Queue many."""
    for _ in range(number):
        async_task(PATHS[task], broker=broker)


async def submit() -> None:
    """Submit one."""
    async_task(PATHS["noop"], broker=broker)
