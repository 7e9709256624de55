"""Users by name and by the id that tasks carry. Django's users are in SQL, tasks in MongoDB: one query for a whole page joins them."""

import uuid
from collections.abc import Iterable

from ainoval.accounts.models import User

NOBODY = "-"  # the id of no user: a filter on it finds nothing


def usernames(user_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of these users; those who were deleted are missing."""
    keys = [key for user_id in set(user_ids) if (key := _key(user_id))]
    return {str(key): name for key, name in User.objects.filter(pk__in=keys).values_list("pk", "username")}


def find_user_id(name: str) -> str | None:
    """Return the id of the user with this name or id, None if there is none. The id of a deleted user is as good as any: tasks outlive users."""
    found = User.objects.filter(username=name).values_list("pk", flat=True).first()
    key = found or _key(name)
    return str(key) if key else None


def _key(user_id: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(user_id)
    except ValueError:
        return None
