"""`manage.py ensure_indexes`: create and check the indexes in MongoDB."""

from argparse import ArgumentParser
from typing import Any

import pymongo
from django.core.management.base import CommandError

from ainoval import index_check, mongo
from ainoval.commands import ProjectCommand, counted
from ainoval.index_check import Comparison

# Building on a full collection outlasts the driver's ordinary time-out for an answer.
BUILD_SECONDS = 3600.0


class Command(ProjectCommand):
    """Creates the indexes that are missing, and says what differs from the declared ones."""

    help = (
        "Create the indexes that are missing in MongoDB, and compare all with the declared ones (name, keys, options). An index that is different or extra "
        "is reported, never dropped. With --check nothing is created, and the exit code is 1 if anything differs. Safe to run twice."
    )
    example = "  manage.py ensure_indexes\n  manage.py ensure_indexes --check"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only compare; exit with 1 if an index is missing, different or extra")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            created = mongo.run(_create())
            self.stdout.write(f"Created {counted(created, 'index', 'indexes')}." if created else "No index was missing.")
        comparisons = mongo.run(_compare())
        for comparison in comparisons:
            self._report(comparison)
        different = [c for c in comparisons if c.missing or c.different or (options["check"] and c.extra)]
        if different:
            raise CommandError(f"The indexes of {', '.join(c.collection for c in different)} differ from the declared ones (see above).")
        total = sum(len(c.same) for c in comparisons)
        self.stdout.write(f"All {counted(total, 'declared index', 'declared indexes')} of {counted(len(comparisons), 'collection')} are in place.")

    def _report(self, comparison: Comparison) -> None:
        name = comparison.collection
        for index in comparison.missing:
            self.stdout.write(f"missing    {name}.{index.name} {index}")
        for wanted, found in comparison.different:
            self.stdout.write(f"different  {name}.{wanted.name} is {found}")
            self.stdout.write(f"           but should be {wanted}")
            self.stdout.write(f'           Drop it in mongosh, db.{name}.dropIndex("{wanted.name}"), and run this command again.')
        for index in comparison.extra:
            self.stdout.write(f"extra      {name}.{index.name} {index}")


async def _create() -> int:
    db = mongo.database()
    comparisons = await index_check.compare(db)
    # Only now that MongoDB has answered: the time-out is for finding a server, too.
    with pymongo.timeout(BUILD_SECONDS):
        return await index_check.create_missing(db, comparisons)


async def _compare() -> list[Comparison]:
    return await index_check.compare(mongo.database())
