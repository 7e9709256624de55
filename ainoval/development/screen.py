"""What a person sees: steps, bars, summaries. Where the output is no terminal, plain lines take the bars' place."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import IO, Protocol, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

NAME_WIDTH = 12
LINE_SECONDS = 5.0
LINE_PERCENT = 25
STATUS_WORDS = {
    "COMPLETED": ("completed", "green"),
    "COMPLETED_WITH_ERRORS": ("partly failed", "yellow"),
    "RUNNING": ("running", "cyan"),
    "QUEUED": ("queued", "default"),
    "RETRYING": ("retrying", "yellow"),
    "FAILED": ("failed", "red"),
    "INTERRUPTED": ("interrupted", "red"),
    "CANCELLING": ("cancelling", "yellow"),
    "CANCELLED": ("cancelled", "yellow"),
}


class Board(Protocol):
    """Shows how far things are."""

    def show(self, key: str, title: str, percentage: float, counts: Mapping[str, int], note: str = "") -> None:
        """Show one of them."""


class Screen:
    """Writes for people.

    Args:
        out: A command's standard output; bars and colours only if it is a terminal.
    """

    def __init__(self, out: OutputWrapper) -> None:
        # What it wraps: the wrapper itself would end each part of a line with a line break.
        file = cast("IO[str]", out._out)
        self._console = Console(file=file, highlight=False, markup=False, emoji=False)
        self.is_live = self._console.is_terminal

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line, however long: it can be copied as it is."""
        self._console.print(Text(clean(text), style), soft_wrap=True)

    def heading(self, text: str) -> None:
        """Write a heading."""
        self.line()
        self.line(text, "bold")

    def fact(self, name: str, value: str, style: str = "") -> None:
        """Write a name and its value, in columns."""
        self._console.print(Text.assemble((f"  {clean(name):<{NAME_WIDTH}} ", "bold"), (clean(value), style)), soft_wrap=True)

    def paragraph(self, number: str, text: str) -> None:
        """Write a text below its number, wrapped at the terminal's width."""
        if not self.is_live:
            self.line(f"  {number:>3}  {text}")
            return
        lines = Text(clean(text)).wrap(self._console, max(self._console.width - 8, 20))
        for at, line in enumerate(lines):
            self._console.print(Text.assemble((f"  {number:>3}  " if at == 0 else " " * 7, "dim"), line))

    def problem(self, text: str) -> None:
        """Write what went wrong."""
        self.line(text, "bold red")

    def child(self, name: str, complaint: str) -> None:
        """Write what a child complains of."""
        style = "yellow" if complaint.startswith("warning") else "red"
        self._console.print(Text.assemble((f"  {name} │ ", "dim"), (clean(complaint)[:400], style)), soft_wrap=True)

    @contextmanager
    def board(self) -> Iterator[Board]:
        """Show progress within the block: bars on a terminal, now and then a line elsewhere."""
        progress = _progress(self._console) if self.is_live else None
        with progress or nullcontext():
            yield _Bars(progress) if progress else _Lines(self)


def counts_text(counts: Mapping[str, int]) -> Text:
    """Return counts by status in words."""
    parts = [(f"{counts[status]} {word}", style) for status, (word, style) in STATUS_WORDS.items() if counts.get(status)]
    return Text(" · ").join(Text(words, style) for words, style in parts)


def clean(text: str) -> str:
    """Return text without what a terminal would obey: a novel, or a server, may contain anything."""
    return "".join(character if character.isprintable() else " " for character in text)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[counts]}"),
        console=console,
    )


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, key: str, title: str, percentage: float, counts: Mapping[str, int], note: str = "") -> None:
        words = counts_text(counts) if counts else Text(clean(note), "dim")
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(clean(title)[:28], total=100, counts=words)
        self._progress.update(self._tasks[key], completed=percentage, counts=words)


class _Lines:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._said: dict[str, tuple[float, float, str]] = {}

    def show(self, key: str, title: str, percentage: float, counts: Mapping[str, int], note: str = "") -> None:
        words = counts_text(counts).plain or note
        now = time.monotonic()
        at, before, last_words = self._said.get(key, (float("-inf"), 0.0, ""))
        is_news = (percentage, words) != (before, last_words)
        if is_news and (now - at > LINE_SECONDS or percentage - before >= LINE_PERCENT or percentage >= 100):
            self._said[key] = (now, percentage, words)
            self._screen.line(f"  {title}: {percentage:.0f}%  {words}".rstrip())
