"""The addresses of tasks, under /api."""

from django.urls import path

from tasks_app.api.views import TaskViewSet

urlpatterns = [
    path("tasks", TaskViewSet.as_view({"get": "list"}), name="tasks"),
    path("tasks/types", TaskViewSet.as_view({"get": "types"}), name="task-types"),
    # One address, two meanings: a GET or DELETE names a task, a POST names a task type.
    path("tasks/<str:task_id>", TaskViewSet.as_view({"get": "retrieve", "delete": "destroy", "post": "submit"}), name="task"),
    path("tasks/<str:task_id>/apply", TaskViewSet.as_view({"post": "apply"}), name="task-apply"),
    path("tasks/<str:task_id>/retry", TaskViewSet.as_view({"post": "retry"}), name="task-retry"),
]
