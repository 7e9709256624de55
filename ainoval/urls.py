"""The addresses of the whole project."""

from django.contrib import admin
from django.urls import include, path, re_path

from ainoval.accounts.api import RefreshView, TokenView
from ainoval.api.health import LiveView, ReadyView
from ainoval.api.problem import nothing_here
from ainoval.api.schema import DocsView, SchemaView
from tasks_app.api.views import live_workers

admin.autodiscover()

urlpatterns = [
    path("api/auth/token", TokenView.as_view(), name="token"),
    path("api/auth/token/refresh", RefreshView.as_view(), name="token-refresh"),
    path("api/", include("tasks_app.api.urls")),
    path("api/", include("ainoval.novels.urls")),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", DocsView.as_view(), name="docs"),
    path("health/live", LiveView.as_view(), name="live"),
    path("health/ready", ReadyView.as_view(count_workers=live_workers), name="ready"),
    re_path(r"^(api|health)(/|$)", nothing_here),
    path("admin/", admin.site.urls),
]
