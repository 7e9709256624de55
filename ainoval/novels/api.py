"""Novels and scenes over HTTP."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from ainoval import mongo
from ainoval.api.bodies import validated
from ainoval.api.openapi import PAGE_PARAMETERS, describe, page_model, query_parameter
from ainoval.api.pagination import page_of, page_request, single
from ainoval.api.parsing import StrictMultiPartParser
from ainoval.api.views import TEXT_BODY, UPLOAD_BODY, ApiView, user_id
from ainoval.novels.bodies import (
    IMPORT_FORM,
    Imported,
    NewNovel,
    NewScene,
    Novel,
    NovelChange,
    Scene,
    SceneChange,
    SceneEntry,
    import_form,
)
from ainoval.novels.importing import parse_novel
from ainoval.novels.service import NovelService, SceneService
from tasks_app import operations

T = TypeVar("T")
TAG = "Novels"
BAD_QUERY = "A query parameter does not fit"
BAD_FIELD = "A field does not fit: see errors"
TOO_LARGE = "The body is larger than 1 MiB"
NO_NOVEL = "No such novel of yours"
NO_SCENE = "No such scene of yours"
CHAPTER_ID = query_parameter("chapterId", {"type": "string", "minLength": 1}, "Only this chapter's scenes.")


def _novels(work: Callable[[NovelService], Awaitable[T]]) -> T:
    async def call() -> T:
        return await work(NovelService(mongo.database()))

    return mongo.run(call())


def _scenes(work: Callable[[SceneService], Awaitable[T]]) -> T:
    async def call() -> T:
        return await work(SceneService(mongo.database()))

    return mongo.run(call())


async def _delete(author_id: str, novel_id: str) -> None:
    novels, scenes = NovelService(mongo.database()), SceneService(mongo.database())
    scene_ids = await scenes.ids(author_id, novel_id)
    # The tasks first: who was told that it failed can ask again only while there is a novel, and without it they would work, and be paid for, for nothing.
    await operations.cancel_all_about(author_id, novel_id, scene_ids)
    await novels.delete(author_id, novel_id)
    # And what was submitted meanwhile: from now on it is refused.
    await operations.cancel_all_about(author_id, novel_id, scene_ids)


class NovelsView(ApiView):
    """The caller's novels."""

    body_limit = TEXT_BODY

    @describe("listNovels", "List your novels", tag=TAG, parameters=PAGE_PARAMETERS, answers={200: page_model(Novel)}, refusals={400: BAD_QUERY})
    def get(self, request: Request) -> Response:
        """Return one page, newest first."""
        page = page_request(request.query_params)
        novels, total = _novels(lambda service: service.list(user_id(request), offset=page.offset, limit=page.size))
        return Response(page_of([Novel.of(novel) for novel in novels], total, page))

    @describe(
        "createNovel",
        "Create a novel",
        tag=TAG,
        request=NewNovel,
        answers={201: Novel},
        refusals={400: BAD_FIELD, 413: TOO_LARGE},
        examples={"With two chapters": {"title": "The lighthouse", "acts": [{"title": "Act one", "chapters": [{"title": "Arrival"}, {"title": "Storm"}]}]}},
    )
    def post(self, request: Request) -> Response:
        """Store a novel with its acts and chapters; their ids are in the answer."""
        body = validated(NewNovel, request.data)
        acts = [act.as_input() for act in body.acts]
        novel = _novels(lambda service: service.create(user_id(request), body.title, acts))
        return Response(Novel.of(novel), status=201, headers={"Location": reverse("novel", args=[novel.novel_id])})


class NovelView(ApiView):
    """One novel."""

    body_limit = TEXT_BODY

    @describe("getNovel", "Read a novel", tag=TAG, answers={200: Novel}, refusals={404: NO_NOVEL})
    def get(self, request: Request, novel_id: str) -> Response:
        """Return the novel with its acts and chapters."""
        return Response(Novel.of(_novels(lambda service: service.get(user_id(request), novel_id))))

    @describe(
        "changeNovel",
        "Change a novel",
        tag=TAG,
        request=NovelChange,
        answers={200: Novel},
        refusals={400: BAD_FIELD, 404: NO_NOVEL, 409: "A chapter that has scenes was left out", 413: TOO_LARGE},
    )
    def patch(self, request: Request, novel_id: str) -> Response:
        """Change the title, or replace the list of acts: acts and chapters with an id keep it, those without are
        new.
        """
        body = validated(NovelChange, request.data)
        given = body.given()
        title = body.title if "title" in given else None
        acts = [act.as_input() for act in body.acts] if "acts" in given else None
        return Response(Novel.of(_novels(lambda service: service.update(user_id(request), novel_id, title=title, acts=acts))))

    @describe("deleteNovel", "Delete a novel", tag=TAG, answers={204: None}, refusals={404: NO_NOVEL})
    def delete(self, request: Request, novel_id: str) -> Response:
        """Delete the novel with its scenes, and cancel the unfinished tasks that work on it."""
        mongo.run(_delete(user_id(request), novel_id))
        return Response(status=204)


class ImportView(ApiView):
    """Novels from files."""

    parser_classes = [StrictMultiPartParser]
    body_limit = UPLOAD_BODY

    @describe(
        "importNovel",
        "Import a novel",
        tag=TAG,
        request={"multipart/form-data": IMPORT_FORM},
        answers={201: Imported},
        refusals={400: "The file cannot be read as a novel", 413: "The file is larger than 20 MiB", 415: "The file is no .txt, .md or .epub"},
    )
    def post(self, request: Request) -> Response:
        """Make a novel of a text, Markdown or EPUB file, with its chapters and scenes."""
        upload, title = import_form(request.POST, request.FILES)
        parsed = parse_novel(upload.read(), upload.name or "", title)
        novel = _novels(lambda service: service.import_novel(user_id(request), parsed))
        return Response(Imported.of(novel), status=201, headers={"Location": reverse("novel", args=[novel.novel_id])})


class NovelScenesView(ApiView):
    """The scenes of a novel."""

    body_limit = TEXT_BODY

    @describe(
        "listScenes",
        "List a novel's scenes",
        tag=TAG,
        parameters=[*PAGE_PARAMETERS, CHAPTER_ID],
        answers={200: page_model(SceneEntry)},
        refusals={400: BAD_QUERY, 404: NO_NOVEL},
    )
    def get(self, request: Request, novel_id: str) -> Response:
        """Return one page without contents, in reading order."""
        page = page_request(request.query_params)
        chapter_id = single(request.query_params, "chapterId")
        scenes, total = _scenes(lambda service: service.list(user_id(request), novel_id, chapter_id=chapter_id, offset=page.offset, limit=page.size))
        return Response(page_of([SceneEntry.of(scene) for scene in scenes], total, page))

    @describe(
        "createScene",
        "Create a scene",
        tag=TAG,
        request=NewScene,
        answers={201: Scene},
        refusals={400: BAD_FIELD, 404: "No such novel or chapter of yours", 413: TOO_LARGE},
    )
    def post(self, request: Request, novel_id: str) -> Response:
        """Store a scene with version 1."""
        body = validated(NewScene, request.data)
        scene = _scenes(lambda service: service.create(user_id(request), novel_id, **body.given()))
        return Response(Scene.of(scene), status=201, headers={"Location": reverse("scene", args=[scene.scene_id])})


class SceneView(ApiView):
    """One scene."""

    body_limit = TEXT_BODY

    @describe("getScene", "Read a scene", tag=TAG, answers={200: Scene}, refusals={404: NO_SCENE})
    def get(self, request: Request, scene_id: str) -> Response:
        """Return the scene with its content."""
        return Response(Scene.of(_scenes(lambda service: service.get(user_id(request), scene_id))))

    @describe(
        "changeScene",
        "Change a scene",
        tag=TAG,
        request=SceneChange,
        answers={200: Scene},
        refusals={400: BAD_FIELD, 404: NO_SCENE, 409: "The scene has another version: see currentVersion", 413: TOO_LARGE},
    )
    def patch(self, request: Request, scene_id: str) -> Response:
        """Change title, content or summary of the version that you have read."""
        body = validated(SceneChange, request.data)
        return Response(Scene.of(_scenes(lambda service: service.update(user_id(request), scene_id, **body.given()))))
