"""The figures: each module measures one kind of thing. A figure is a coroutine function of the place and the number of rounds."""

from collections.abc import Awaitable, Callable

from benchmarks.figures import console, dispatch, drain, floor, http, idle, many_waits, reads, submission, waits
from benchmarks.measured import Measured
from benchmarks.place import Place

Figure = Callable[[Place, int], Awaitable[list[Measured]]]

FIGURES: dict[str, Figure] = {
    "floor": floor.measure,
    "drain": drain.measure,
    "io": waits.measure,
    "io10k": many_waits.measure,
    "dispatch": dispatch.measure,
    "submit": submission.measure,
    "http": http.measure,
    "idle": idle.measure,
}
LARGE: dict[str, Figure] = {"reads": reads.measure, "console": console.measure}
"""With a million documents: minutes of preparation."""
ROUNDS = {"drain": 3, "submit": 3}
"""Of `make bench`, where it is not one: short runs vary most, and so do their ratios."""
