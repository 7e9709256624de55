"""Real worker clusters, as the acceptance tests have them."""

from tests.acceptance.conftest import _migrated, cluster, database_name

__all__ = ["_migrated", "cluster", "database_name"]
