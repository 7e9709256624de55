"""What Django knows of tasks: a name in the admin's sidebar, and who may do what. The tasks themselves live in MongoDB (`documents`)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class BackgroundTask(models.Model):
    """An unmanaged model: no table, no rows. It gives the console its address, its permissions and its audit lines' content type."""

    id = models.CharField(primary_key=True, max_length=24)

    class Meta:
        managed = False
        verbose_name = _("background task")
        verbose_name_plural = _("background tasks")
        default_permissions = ()
        permissions = [
            ("view_backgroundtask", "Can see background tasks (manuscript text is masked)"),
            ("cancel_backgroundtask", "Can cancel background tasks"),
            ("requeue_backgroundtask", "Can run background tasks again"),
            ("apply_backgroundtask", "Can write results of background tasks into novels"),
            ("delete_backgroundtask", "Can delete ended background tasks"),
            ("view_text_backgroundtask", "Can read manuscript text in background tasks"),
        ]
