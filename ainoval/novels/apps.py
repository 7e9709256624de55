"""The Django application of novels and scenes."""

from django.apps import AppConfig


class NovelsConfig(AppConfig):
    """Registers the package; its documents live in MongoDB, so there are no Django models."""

    name = "ainoval.novels"
    verbose_name = "Novels"
