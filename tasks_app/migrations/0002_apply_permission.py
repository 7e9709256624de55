"""A permission for writing results into novels, beside the others."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="backgroundtask",
            options={
                "verbose_name": "background task",
                "verbose_name_plural": "background tasks",
                "permissions": [
                    ("view_backgroundtask", "Can see background tasks (manuscript text is masked)"),
                    ("cancel_backgroundtask", "Can cancel background tasks"),
                    ("requeue_backgroundtask", "Can run background tasks again"),
                    ("apply_backgroundtask", "Can write results of background tasks into novels"),
                    ("delete_backgroundtask", "Can delete ended background tasks"),
                    ("view_text_backgroundtask", "Can read manuscript text in background tasks"),
                ],
                "managed": False,
                "default_permissions": (),
            },
        ),
    ]
