"""The bodies of the novels' and scenes' endpoints."""

from typing import Annotated, Any, TypeAlias, TypeVar

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from pydantic import FailFast, Field

from ainoval.api.bodies import Instant, RequestBody, ResponseBody, leave_out_default
from ainoval.api.errors import InvalidRequest
from ainoval.novels.limits import MAX_SEQUENCE
from ainoval.novels.views import ActInput, ChapterInput

T = TypeVar("T")
# Of the entries that do not fit the first is told: a body of zeros would be half a million errors, which take seconds and hundreds of megabytes.
Entries: TypeAlias = Annotated[list[T], FailFast()]


class Chapter(ResponseBody):
    """A chapter of a novel."""

    chapter_id: str
    title: str


class Act(ResponseBody):
    """An act with its chapters in order."""

    act_id: str
    title: str
    chapters: list[Chapter]


class Novel(ResponseBody):
    """A novel; its scenes are lists of their own."""

    novel_id: str
    title: str
    author: str = Field(description="The user whose novel it is.")
    acts: list[Act]
    created_at: Instant
    updated_at: Instant


class SceneEntry(ResponseBody):
    """A scene in a list."""

    scene_id: str
    novel_id: str
    chapter_id: str
    sequence: int
    title: str
    summary: str
    word_count: int
    version: int = Field(description="Rises by one with every change of title, content or summary, by anyone.")
    created_at: Instant
    updated_at: Instant


class Scene(SceneEntry):
    """A scene with its content."""

    content: str


class Imported(ResponseBody):
    """A novel made of a file."""

    novel_id: str
    chapter_count: int
    scene_count: int


class ChapterBody(RequestBody):
    """A chapter: with the id of one that exists, or without to make a new one."""

    title: str
    chapter_id: str | None = None


class ActBody(RequestBody):
    """An act with its chapters in order: with the id of one that exists, or without to make a new one."""

    title: str
    chapters: Entries[ChapterBody] = []
    act_id: str | None = None

    def as_input(self) -> ActInput:
        """Return it as the service takes it."""
        chapters = tuple(ChapterInput(chapter.title, chapter.chapter_id) for chapter in self.chapters)
        return ActInput(self.title, chapters, self.act_id)


class NewNovel(RequestBody):
    """A novel to make."""

    title: str
    acts: Entries[ActBody] = []


class NovelChange(RequestBody):
    """What to change of a novel: fields that are left out stay as they are; `acts` replaces the whole list."""

    title: str = Field("", json_schema_extra=leave_out_default)
    acts: Entries[ActBody] = Field([], json_schema_extra=leave_out_default)


class NewScene(RequestBody):
    """A scene to make; without `sequence` it goes to the end of its chapter."""

    chapter_id: str
    title: str = ""
    content: str = ""
    summary: str = ""
    # Described only: SceneService refuses it with a code of its own.
    sequence: Annotated[int, Field(json_schema_extra={"minimum": 0, "maximum": MAX_SEQUENCE})] | None = None


class SceneChange(RequestBody):
    """What to change of a scene: fields that are left out stay as they are. `version` is the one you have read."""

    version: int = Field(json_schema_extra={"minimum": 1, "maximum": 2**63 - 1})
    title: str = Field("", json_schema_extra=leave_out_default)
    content: str = Field("", json_schema_extra=leave_out_default)
    summary: str = Field("", json_schema_extra=leave_out_default)


IMPORT_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "additionalProperties": False,
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream", "description": ".txt, .md or .epub, up to 20 MiB"},
        "title": {"type": "string", "description": "Instead of the file's own."},
    },
}


def import_form(data: QueryDict, files: "MultiValueDict[str, UploadedFile[bytes]]") -> "tuple[UploadedFile[bytes], str | None]":
    """Return the file and the title of an import's form.

    Raises:
        InvalidRequest: The file is missing, a field is repeated, unknown, or of the wrong kind.
    """
    errors = [{"field": name, "message": "is no field of this form"} for name in {*data, *files} if name not in IMPORT_FORM["properties"]]
    uploads, titles = files.getlist("file"), data.getlist("title")
    if len(uploads) != 1:
        errors.append({"field": "file", "message": "is required: one file, with its name"})
    if len(titles) > 1 or "title" in files:
        errors.append({"field": "title", "message": "is one line of text"})
    if errors:
        raise InvalidRequest(errors)
    return uploads[0], titles[0] if titles else None
