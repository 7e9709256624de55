"""Finding users."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.contrib.auth.models import UserManager as DjangoUserManager

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
        return self.filter(pk=key, is_active=True).first()
