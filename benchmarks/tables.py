"""Figures as a table for people and as JSON lines for programs."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.bars import ROWS, Figures
from benchmarks.measured import Measured

MARKS = {"aim": "aim reached", "bar": "bar reached", "not reached": "NOT REACHED", "": ""}


def by_system(all_measured: Iterable[Measured]) -> Figures:
    """Return figures by their system and key."""
    return {(each.system, each.key): each for each in all_measured}


def own_rows(all_measured: Sequence[Measured]) -> list[list[str]]:
    """Return our figures as rows: figure, median, unit, spread, bar, aim, verdict."""
    figures = by_system(all_measured)
    return [_row(each, figures) for each in all_measured if each.system == "ours"]


def _row(measured: Measured, figures: Figures) -> list[str]:
    row = ROWS.get(measured.key)
    if not measured.values:
        return [measured.title, measured.missing, "", "", *([row.words("bar"), row.words("aim")] if row else ["", ""]), ""]
    cells = [measured.title, measured.shown(measured.median), measured.unit, measured.spread]
    return [*cells, row.words("bar"), row.words("aim"), MARKS[row.verdict(measured, figures)]] if row else [*cells, "", "", ""]


def text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in plain text, its columns aligned."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])


OWN_HEADER = ("figure", "median", "unit", "min to max", "bar", "aim", "")


def write_lines(path: Path, all_measured: Iterable[Measured]) -> None:
    """Write figures as JSON lines."""
    path.write_text("".join(json.dumps(each.as_json()) + "\n" for each in all_measured))
