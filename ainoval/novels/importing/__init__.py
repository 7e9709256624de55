"""Reading a file as a novel: pure functions from bytes to acts, chapters and scenes.

One module a format (`text`, `markdown`, `epub`) turns the file into a stream of lines and marks; `outline` makes the novel of it, the same way
for all.
"""

from ainoval.novels.importing.outline import ParsedAct, ParsedChapter, ParsedNovel, ParsedScene
from ainoval.novels.importing.parsing import EXTENSIONS, parse_novel

__all__ = ["EXTENSIONS", "ParsedAct", "ParsedChapter", "ParsedNovel", "ParsedScene", "parse_novel"]
