"""`manage.py export_novel`: a novel becomes a Markdown file."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ainoval import mongo
from ainoval.commands import ProjectCommand, user_id
from ainoval.novels.documents import NOVELS
from ainoval.novels.errors import NovelNotFound
from ainoval.novels.service import NovelService
from ainoval.novels.service.ownership import is_id


class Command(ProjectCommand):
    """Exports a novel as Markdown."""

    help = (
        "Export a novel as Markdown, which import_novel reads back to the same acts, chapters and scenes. Written to standard output, "
        "or to a file that appears only when it is complete. Changes nothing in the novel."
    )
    example = "  manage.py export_novel 665f1c2ab7e4d90012ab34cd --output journey.md"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("novel_id", metavar="ID", help="the novel's id")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to this file instead of standard output")
        parser.add_argument("--force", action="store_true", help="replace the file if it is there already")
        parser.add_argument("--user", metavar="USER", help="only if it is this user's novel: a username or a user's id")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path | None = options["output"]
        if output is not None and output.exists() and not options["force"]:
            raise CommandError(f"{output} is there already: add --force to replace it.")
        author_id = user_id(options["user"]) if options["user"] is not None else None
        try:
            text = mongo.run(_export(options["novel_id"], author_id))
        except NovelNotFound as exc:
            whose = f" of {options['user']}" if options["user"] else ""
            raise CommandError(f"There is no novel {options['novel_id']!r}{whose}.") from exc
        if output is None:
            self.stdout.write(text, ending="")
        else:
            _write(output, text)
            self.stdout.write(f"Exported novel {options['novel_id']} to {output} ({len(text.encode()):,} bytes).")


async def _export(novel_id: str, author_id: str | None) -> str:
    db = mongo.database()
    if author_id is None:  # an operator's right: the service itself asks whose novel it is
        novel = await db[NOVELS].find_one({"_id": novel_id}, {"author": 1}) if is_id(novel_id) else None
        if novel is None:
            raise NovelNotFound
        author_id = novel["author"]
    return await NovelService(db).export(author_id, novel_id)


def _write(path: Path, text: str) -> None:
    """Write the file beside its place and move it there, so that no half of a novel is ever taken for the whole."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with unfinished.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as exc:
        raise CommandError(f"{path} cannot be written: {exc.strerror}.") from exc
