"""Novels for the demonstration: the two samples, or a file of one's own."""

from dataclasses import dataclass
from pathlib import Path

from ainoval.development.client import Api, ApiError
from ainoval.novels.importing import parse_novel
from ainoval.novels.limits import IMPORT_FILE_BYTES
from ainoval.novels.samples import SAMPLES, read_sample


@dataclass(frozen=True, slots=True)
class NovelFile:
    """A file that can be imported."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter's id and title."""

    chapter_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Novel:
    """A novel on the server."""

    novel_id: str
    title: str
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene, as lists show it."""

    scene_id: str
    chapter_id: str
    sequence: int
    title: str
    summary: str


def samples() -> list[NovelFile]:
    """Return the novels that come with this project: one Chinese, one English."""
    return [NovelFile(name, read_sample(name)) for name in SAMPLES]


def read_file(path: Path) -> NovelFile:
    """Return a file of the user's own.

    Raises:
        ApiError: It cannot be read, or no server would take it.
    """
    try:
        if path.stat().st_size > IMPORT_FILE_BYTES:
            raise ApiError(f"{path} is larger than {IMPORT_FILE_BYTES >> 20} MiB: split it.")
        return NovelFile(path.name, path.read_bytes())
    except OSError as exc:
        raise ApiError(f"{path} cannot be read: {exc.strerror}.") from exc


def import_novel(api: Api, file: NovelFile) -> Novel:
    """Import a novel."""
    try:
        return read_novel(api, str(api.upload("/api/novels/import", file.name, file.data)["novelId"]))
    except ApiError as exc:
        raise ApiError(f"{file.name}: {exc}", exc.status) from exc


def find_or_import(api: Api, file: NovelFile) -> Novel:
    """Return the user's novel with this file's title, imported if there is none."""
    title = parse_novel(file.data, file.name).title
    for novel in api.pages("/api/novels"):
        if novel["title"] == title:
            return _novel(novel)
    return import_novel(api, file)


def read_novel(api: Api, novel_id: str) -> Novel:
    """Read a novel with its chapters."""
    return _novel(api.get(f"/api/novels/{novel_id}"))


def read_scenes(api: Api, novel: Novel) -> list[Scene]:
    """Read all scenes of a novel, in reading order."""
    return [
        Scene(scene["sceneId"], scene["chapterId"], scene["sequence"], scene["title"], scene["summary"])
        for scene in api.pages(f"/api/novels/{novel.novel_id}/scenes")
    ]


def _novel(body: dict[str, object]) -> Novel:
    acts = body["acts"]
    assert isinstance(acts, list)  # noqa: S101 - the API's contract
    chapters = tuple(Chapter(chapter["chapterId"], chapter["title"]) for act in acts for chapter in act["chapters"])
    return Novel(str(body["novelId"]), str(body["title"]), chapters)
