"""A comparison as a page, docs/benchmarks.md, and as text for the terminal. Every number on it comes from the run."""

from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks import tables
from benchmarks.bars import CELERY
from benchmarks.measured import Measured
from benchmarks.peers import machine
from benchmarks.peers.catalogue import PEERS, Peer

# What is compared: the figure, its heading, whether less is better, and whose figure the ratio is to.
COMPARED = (
    ("drain", "5,000 queued tasks that do nothing, two worker processes", False, CELERY),
    ("cpu_own", "Processor time of the worker processes for each of them", True, CELERY),
    ("io", "2,000 queued tasks that wait 1 s, two worker processes", True, "Celery gevent"),
    ("io_memory", "The same: memory of all worker processes and supervisors at the peak", True, "Celery gevent"),
    ("io10k", "10,000 queued tasks that wait 1 s, two worker processes", True, "Celery gevent"),
    ("dispatch_p50", "Dispatch on an idle system, from the call of submit to the first line, p50", True, CELERY),
    ("dispatch_p95", "The same, p95", True, CELERY),
    ("submit_one", "Submitting in process, one producer, one at a time", False, CELERY),
    ("idle", "Processor time of two idle workers and their supervisors, share of a core", True, CELERY),
)

HEAD = """# Benchmarks

<!-- Written by `make bench-peers`: change benchmarks/peers/page.py, or measure again. -->

Measured on {date} in one run of {minutes:.0f} minutes, {rounds}, on {machine}.{narrowed}
Medians; the machine is virtual and its speed varies, so the ratios say more than the figures.
`make bench` measures the first table, `make bench-peers` all of this page; where the time goes and what each optimisation brought is in
[performance.md](performance.md).

## Bars and aims

Tasks go in through `tasks_app.operations` and are run by `manage.py qcluster`, as shipped. Every change of state is a majority write in MongoDB's
journal, on disk. The clock runs from the first line of the first task until the last ending is stored, and every document is read before a figure
counts: one attempt, completed, its times in order, no lease left.

{own}

## Side by side

The peers keep their tasks in Redis, in memory, and forget them when they are done; where they differ, it is said below. The same two tasks for all,
queued first, then the workers start. A task records its first and its last line itself, in one file in memory for all processes, which costs about
2 µs; the time is from the first start to the last end. For ours it is until the last ending is stored, which is later.
"""

TAIL = """
## How each is configured

For two cores, after its own documentation; logs at warnings only, for all.

| system | configuration |
| --- | --- |
| ours | 2 worker processes with 1,000 slots (5,000 for 10,000 tasks), no limit for the one user whom the tasks belong to; otherwise the defaults |
{configured}

Redis runs as it comes, without persistence. PostgreSQL runs as `initdb` sets it up (`fsync` and `synchronous_commit` on). MongoDB is the project's own
development server: one member, 256 MiB of cache, journaled, on disk. Each lies in a temporary folder, listens on loopback, and does nothing while another
is measured. Memory is the sum of the proportional set sizes of all processes, supervisors included, the servers not.

Where a peer is missing from a table, it has no way to hold so many waiting tasks, or what is measured does not depend on that variant.

## Versions

{versions}
"""


def page(measured: Sequence[Measured], peers: Sequence[Peer], rounds: int, seconds: float, narrowed: str = "") -> str:
    """Return the page in Markdown.

    Args:
        measured: All figures of all systems, their rounds merged.
        seconds: How long the run took.
        narrowed: The options of a run that was not the whole.
    """
    head = HEAD.format(
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        minutes=max(seconds / 60, 1),
        rounds="one round" if rounds == 1 else f"{rounds} interleaved rounds",
        narrowed=f" **Not the whole run**: `{narrowed}`." if narrowed else "",
        machine=machine.described(),
        own=tables.markdown(tables.OWN_HEADER, tables.own_rows(measured)),
    )
    sections = [f"\n### {title}\n\n{tables.markdown(header, rows)}\n" for title, header, rows in comparisons(measured)]
    tail = TAIL.format(
        configured="\n".join(f"| {peer.name} | {peer.settings} |" for peer in peers),
        versions=", ".join(f"{name} {version}" for name, version in machine.versions()) + ".",
    )
    return head + "".join(sections) + tail


def figures_as_text(measured: Sequence[Measured]) -> str:
    """Return all tables for the terminal."""
    parts = [tables.text(tables.OWN_HEADER, tables.own_rows(measured))]
    parts += [f"{title}\n{tables.text(header, rows)}" for title, header, rows in comparisons(measured)]
    return "\n\n".join(parts)


def comparisons(measured: Sequence[Measured]) -> list[tuple[str, Sequence[str], list[list[str]]]]:
    """Return each comparison as title, header and rows, the best system first; only those that a peer took part in."""
    figures = tables.by_system(measured)
    names = ["ours", *(peer.name for peer in PEERS)]
    found: list[tuple[str, Sequence[str], list[list[str]]]] = []
    for key, title, lower, base in COMPARED:
        present = [figures[name, key] for name in names if (name, key) in figures and figures[name, key].values]
        if len(present) < 2:
            continue
        present.sort(key=lambda each: each.median, reverse=not lower)
        unit = figures.get((base, key))
        rows = [[_name(each.system), each.shown(each.median), each.unit, each.spread, _ratio(each, unit)] for each in present]
        rows += [[each.system, each.missing, "", "", ""] for each in measured if each.key == _measurement(key) and each.missing and each.system != "ours"]
        found.append((title, ("system", "median", "unit", "min to max", f"to {base}"), rows))
    return found


def _measurement(key: str) -> str:
    """Return the measurement that a figure comes from, under whose name a failure is on record."""
    return {"cpu_own": "drain", "io_memory": "memory", "dispatch_p50": "dispatch", "dispatch_p95": "dispatch", "submit_one": "submit"}.get(key, key)


def _name(system: str) -> str:
    return f"**{system}**" if system == "ours" else system


def _ratio(each: Measured, base: Measured | None) -> str:
    return f"{each.median / base.median:.2f}" if base and base.values and base.median else ""
