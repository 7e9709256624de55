"""`manage.py import_novel`: a file becomes a novel."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ainoval import mongo
from ainoval.accounts.models import User
from ainoval.commands import ProjectCommand, counted, user_id
from ainoval.novels.importing import EXTENSIONS, ParsedNovel, parse_novel
from ainoval.novels.limits import IMPORT_FILE_BYTES
from ainoval.novels.service import NovelService
from ainoval.novels.views import ImportedNovel


class Command(ProjectCommand):
    """Imports a novel from a file."""

    help = (
        f"Import a novel from a file ({', '.join(EXTENSIONS)}): chapters and scenes are found by their headings and breaks, Chinese and English, "
        "in UTF-8 or GB18030. Prints the new novel's id and how many chapters and scenes it has. Running it twice makes two novels."
    )
    example = "  manage.py import_novel journey.txt --user alice --title 'Journey to the West'"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help=f"the file, at most {IMPORT_FILE_BYTES >> 20} MiB")
        parser.add_argument("--user", required=True, metavar="USER", help="whose novel it will be: a username or a user's id")
        parser.add_argument("--title", help="the novel's title; without it, the file's own, or its name")
        parser.add_argument("--json", action="store_true", help="print novelId, chapterCount and sceneCount as one JSON object, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        author = User.objects.filter(pk=user_id(options["user"])).first()
        if author is None:
            raise CommandError(f"There is no user {options['user']!r} any more.")
        parsed = parse_novel(_read(options["file"]), options["file"].name, options["title"])
        imported = mongo.run(_store(str(author.pk), parsed))
        if options["json"]:
            self.print_json({"novelId": imported.novel_id, "chapterCount": imported.chapter_count, "sceneCount": imported.scene_count})
            return
        chapters, scenes = counted(imported.chapter_count, "chapter"), counted(imported.scene_count, "scene")
        self.stdout.write(f'Imported "{imported.title}" for {author.username} as novel {imported.novel_id}: {chapters}, {scenes}.')


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than is allowed tells the parser that there is too much, without reading the rest.
            return file.read(IMPORT_FILE_BYTES + 1)
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}.") from exc


async def _store(author_id: str, parsed: ParsedNovel) -> ImportedNovel:
    return await NovelService(mongo.database()).import_novel(author_id, parsed)
