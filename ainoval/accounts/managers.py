"""Finding users."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import connections

if TYPE_CHECKING:
    from ainoval.accounts.models import User


class UserManager(DjangoUserManager["User"]):
    """Django's manager, and look-ups by the id that MongoDB's documents carry."""

    def with_access(self, user_id: str) -> User | None:
        """Return the active user with this id; None for a deleted or inactive one and for what is no id at all."""
        try:
            key = uuid.UUID(user_id)
        except ValueError:
            return None
        # Plain SQL: each request to the API asks this, and to build the same query anew takes four times as long as to run it.
        connection, meta = connections[self.db], self.model._meta
        table, column = connection.ops.quote_name(meta.db_table), connection.ops.quote_name(str(meta.pk.column))
        found = self.raw(f"SELECT * FROM {table} WHERE {column} = %s", [meta.pk.get_db_prep_value(key, connection)])  # noqa: S608 - the model's own names
        return next((user for user in found if user.is_active), None)
