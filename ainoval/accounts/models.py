"""The user model."""

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models

from ainoval.accounts.managers import UserManager


class User(AbstractUser):
    """A writer or a member of staff.

    The key is a UUID: its string is `userId` in MongoDB, where nothing would stop a number from being used again after
        a user was deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        swappable = "AUTH_USER_MODEL"
        ordering = ["username"]
