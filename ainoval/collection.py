"""Python's garbage collection, kept away from what lives as long as the process."""

import gc


def freeze_what_is_loaded() -> None:
    """Take everything that exists by now out of the collector's sight: call it once, when a process has imported what it works with.

    Half a million objects of Django and its like never become garbage, but each full collection walked them all: a tenth of a second in which an event
    loop answered nobody. And by touching every object it unshared the memory that forked workers have in common.
    """
    gc.collect()
    gc.freeze()
