"""What follows when an account loses access: its unfinished tasks are cancelled (its tokens are refused by themselves)."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from ainoval import mongo
from ainoval.accounts.models import User
from ainoval.logs import get_logger
from tasks_app import operations

log = get_logger(__name__)


@receiver(post_save, sender=User)
def cancel_tasks_of_an_inactive_user(instance: User, raw: bool, **_: Any) -> None:
    """Cancel what an inactive user's account still has waiting or running."""
    if not instance.is_active and not raw:
        _cancel_after_commit(str(instance.pk))


@receiver(post_delete, sender=User)
def cancel_tasks_of_a_deleted_user(instance: User, **_: Any) -> None:
    """Cancel what a deleted user's account still has waiting or running."""
    _cancel_after_commit(str(instance.pk))


def _cancel_after_commit(user_id: str) -> None:
    def cancel() -> None:
        cancelled = mongo.run(operations.cancel_all_of(user_id))
        log.info("tasks_of_user_cancelled", user_id=user_id, tasks=cancelled)

    # Robust: with MongoDB away the account is closed all the same, and Django logs the failure; nothing is lost but the tasks' early end.
    transaction.on_commit(cancel, robust=True)
