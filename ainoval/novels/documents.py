"""The stored shape of novels and scenes, and the indexes their queries rely on.

Other programs read these collections, so stored names are the camelCase ones of the API. The documents declare; the services read and write through
PyMongo, because every write here is one conditional update and MongoEngine's `save()` is not.
"""

from typing import Any, Final

from mongoengine import (
    DateTimeField,
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    StringField,
)

NOVELS: Final = "novels"
SCENES: Final = "scenes"


class Chapter(EmbeddedDocument):
    """A chapter: a place for scenes, which point to it by its id."""

    chapter_id = StringField(db_field="chapterId", required=True)
    title = StringField(default="")
    meta = {"strict": False}


class Act(EmbeddedDocument):
    """An act (part, volume, 卷) with its chapters in order. A novel without parts has one act without a title."""

    act_id = StringField(db_field="actId", required=True)
    title = StringField(default="")
    chapters = EmbeddedDocumentListField(Chapter)
    meta = {"strict": False}


class Novel(Document):
    """A novel: whose it is, and its acts and chapters in order. The author here is the only truth about who owns its scenes."""

    id = StringField(primary_key=True)
    author = StringField(required=True)
    title = StringField(required=True)
    acts = EmbeddedDocumentListField(Act)
    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)

    meta: dict[str, Any] = {
        "collection": NOVELS,
        "strict": False,
        "auto_create_index": False,
        "indexes": [
            # A writer's novels, newest first: the list and its count.
            {"name": "novels_of_author", "fields": ["author", "-created_at", "-id"]},
        ],
    }


class HistoryEntry(EmbeddedDocument):
    """What a text was before a change, and which task made the change (none: the writer). `version` is the version that had the old text."""

    text = StringField()
    field = StringField()
    version = IntField()
    task_id = StringField(db_field="taskId")
    at = DateTimeField()
    meta = {"strict": False}


class Scene(Document):
    """A scene: its text, the summary of it, and a version that rises by one with every change of title, content or summary."""

    id = StringField(primary_key=True)
    novel_id = StringField(db_field="novelId", required=True)
    chapter_id = StringField(db_field="chapterId", required=True)
    sequence = IntField(required=True)
    title = StringField(default="")
    content = StringField(default="")
    summary = StringField(default="")
    word_count = IntField(db_field="wordCount", default=0)
    version = IntField(default=1)
    history = EmbeddedDocumentListField(HistoryEntry)
    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)

    meta: dict[str, Any] = {
        "collection": SCENES,
        "strict": False,
        "auto_create_index": False,
        "indexes": [
            # The scenes of a novel or of chapters of it, in order; counts per chapter and the last sequence are read from the index alone.
            {"name": "scenes_in_order", "fields": ["novel_id", "chapter_id", "sequence", "id"]},
        ],
    }
