"""The addresses of novels and scenes, under /api."""

from django.urls import path

from ainoval.novels.api import ImportView, NovelScenesView, NovelsView, NovelView, SceneView

urlpatterns = [
    path("novels", NovelsView.as_view(), name="novels"),
    path("novels/import", ImportView.as_view(), name="novel-import"),
    path("novels/<str:novel_id>", NovelView.as_view(), name="novel"),
    path("novels/<str:novel_id>/scenes", NovelScenesView.as_view(), name="novel-scenes"),
    path("scenes/<str:scene_id>", SceneView.as_view(), name="scene"),
]
