"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users and their tokens."""

    name = "ainoval.accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Connect what follows from a change of an account."""
        from ainoval.accounts import receivers  # noqa: F401
