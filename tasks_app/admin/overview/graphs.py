"""The charts: what ended in each period of a range, into paths, words beside them, and the rows of a table that says the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.admin.overview import geometry
from tasks_app.admin.overview.geometry import Axis
from tasks_app.admin.overview.spans import Spans
from tasks_app.admin.words import STATUS_WORDS
from tasks_app.periods import Range, Sums
from tasks_app.states import TaskStatus

# From the bottom of a bar up: what is wrong stands on the ground, where it can be compared.
LAYERS = (
    ("failed", (TaskStatus.FAILED, TaskStatus.INTERRUPTED)),
    ("completed-with-errors", (TaskStatus.COMPLETED_WITH_ERRORS,)),
    ("completed", (TaskStatus.COMPLETED,)),
    ("cancelled", (TaskStatus.CANCELLED,)),
)
MARKED_MOMENTS = 5
QUANTILES = (0.5, 0.95)


@dataclass(frozen=True, slots=True)
class Layer:
    """One path of a chart, with what it is called; `css` names its look."""

    css: str
    path: str
    word: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        summary: The whole of it in one sentence, for those who do not see it.
        y_marks: From the top down.
        x_marks: From left to right, evenly spaced.
        places: A rectangle for each period, by which the pointer asks for its numbers. Made here: a template takes twenty times as long for them.
        last: Where the period stands that is not over yet: x and width.
    """

    key: str
    title: str
    summary: str
    layers: list[Layer]
    y_marks: list[str]
    x_marks: list[str]
    places: SafeString
    last: tuple[str, str]


class Graphs:
    """The charts of a range, and the table that says the same.

    Args:
        sums: One for each of its periods, the oldest first.
    """

    def __init__(self, sums: Sequence[Sums], over: Range, now: datetime, spans: Spans) -> None:
        self._sums = sums
        self._frame = _Frame(over, now)
        self._short = spans.short
        self._wait = [[each.wait_quantile(q) for each in sums] for q in QUANTILES]
        self._run = [[each.run_quantile(q) for each in sums] for q in QUANTILES]

    def charts(self) -> list[Chart]:
        """Return the three charts."""
        whole = Sums()
        for each in self._sums:
            whole.wait += each.wait
            whole.run += each.run
        wait, run = ([self._short(quantile(q)) or "–" for q in QUANTILES] for quantile in (whole.wait_quantile, whole.run_quantile))
        return [
            self._throughput(),
            self._quantiles("wait", _("Wait for a worker"), self._wait, wait),
            self._quantiles("run", _("Execution time of an attempt"), self._run, run),
        ]

    def rows(self) -> SafeString:
        """Return the charts' numbers as rows of a table, the newest first."""
        texts = [[self._short(value) for value in values] for values in (*self._wait, *self._run)]
        numbers = (
            (
                self._frame.names[place],
                *(f"{count:,}" for count in (each.ended.total(), each.failed, each.ended[TaskStatus.CANCELLED])),
                *(text[place] for text in texts),
            )
            for place, each in enumerate(self._sums)
        )
        cells = [f'<tr><th scope="row">{escape(name)}</th>' + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for name, *row in numbers]
        return mark_safe("\n".join(reversed(cells)))  # noqa: S308 - of escaped texts

    def _throughput(self) -> Chart:
        totals = [each.ended.total() for each in self._sums]
        axis = geometry.count_axis(max(totals))
        words = [(str(STATUS_WORDS[statuses[0]]), statuses) for _css, statuses in LAYERS]
        nothing = _("nothing ended")
        texts = []
        for each in self._sums:
            parts = [f"{word} {count:,}" for word, statuses in words if (count := sum(each.ended[status] for status in statuses))]
            texts.append(", ".join(parts) or nothing)
        ended, failed = sum(totals), sum(each.failed for each in self._sums)
        summary = ngettext("%(ended)s task ended, %(failed)s failed.", "%(ended)s tasks ended, %(failed)s failed.", ended) % {
            "ended": f"{ended:,}",
            "failed": f"{failed:,}",
        }
        layers = layers_of([each.ended for each in self._sums], axis, dict(zip([css for css, _statuses in LAYERS], [word for word, _s in words], strict=True)))
        return self._chart("throughput", _("Ended tasks"), summary, layers, [f"{value:,.0f}" for value in axis.marks], texts)

    def _quantiles(self, key: str, title: str, values: list[list[float | None]], over_all: list[str]) -> Chart:
        p50, p95 = values
        axis = geometry.duration_axis(max((value for value in p95 if value is not None), default=1.0))
        layers = [
            Layer("band", geometry.band(p50, p95, axis)),
            Layer("p50", geometry.line(p50, axis), "p50", over_all[0]),
            Layer("p95", geometry.line(p95, axis), "p95", over_all[1]),
        ]
        nothing = _("nothing ended")
        texts = [f"p50 {self._short(low)}, p95 {self._short(high)}" if low is not None else nothing for low, high in zip(p50, p95, strict=True)]
        summary = _("Half of them took %(p50)s or less, 95 %% took %(p95)s or less.") % {"p50": over_all[0], "p95": over_all[1]}
        return self._chart(key, title, summary, layers, [self._short(value) if value else "0" for value in axis.marks], texts)

    def _chart(self, key: str, title: str, summary: str, layers: list[Layer], y_marks: list[str], texts: list[str]) -> Chart:
        frame = self._frame
        width = f"{frame.width:.3f}"
        places = [
            f'<rect class="place" x="{number * frame.width:.3f}" y="0" width="{width}" height="100"><title>{frame.names[number]}  {escape(text)}</title></rect>'
            for number, text in enumerate(texts)
        ]
        last = (f"{(len(texts) - 1) * frame.width:.3f}", width)
        return Chart(key, title, summary, layers, y_marks, frame.x_marks, mark_safe("".join(places)), last)  # noqa: S308 - of escaped texts


def trend(ended: Sequence[Mapping[str, int]]) -> list[Layer]:
    """Return the throughput of one type as a small chart without words.

    Args:
        ended: For each period, tasks by status.
    """
    return layers_of(ended, geometry.count_axis(max((sum(each.values()) for each in ended), default=0)), {})


def layers_of(ended: Sequence[Mapping[str, int]], axis: Axis, words: Mapping[str, str]) -> list[Layer]:
    """Return stacked bars, one layer for each group of statuses that occurs.

    Args:
        words: What the layers are called, by their `css`.
    """
    below = [0.0] * len(ended)
    layers = []
    for css, statuses in LAYERS:
        values = [float(sum(each.get(status, 0) for status in statuses)) for each in ended]
        if total := int(sum(values)):
            layers.append(Layer(css, geometry.bars(values, below, axis), words.get(css, ""), f"{total:,}"))
        below = [base + value for base, value in zip(below, values, strict=True)]
    return layers


class _Frame:
    """What the charts of a range share: its moments and their words."""

    def __init__(self, over: Range, now: datetime) -> None:
        length = timedelta(minutes=over.span)
        start = over.start(now)
        self.moments = [start + number * length for number in range(over.count)]
        days = over.span * over.count > 24 * 60
        self.names = [_spoken(moment, moment + length, days) for moment in self.moments]
        end = self.moments[-1] + length
        self.x_marks = [_mark(start + (end - start) * number / (MARKED_MOMENTS - 1), days) for number in range(MARKED_MOMENTS)]
        self.width = geometry.WIDTH / over.count


def _spoken(start: datetime, end: datetime, days: bool) -> str:
    return f"{start:%m-%d} {start:%H:%M}–{end:%H:%M}" if days else f"{start:%H:%M}–{end:%H:%M}"


def _mark(moment: datetime, days: bool) -> str:
    return f"{moment:%m-%d}" if days else f"{moment:%H:%M}"
