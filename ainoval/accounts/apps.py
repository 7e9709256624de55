"""The accounts app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    """Users and their tokens."""

    name = "ainoval.accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Connect what follows from a change of an account."""
        from ainoval.accounts import receivers  # noqa: F401
