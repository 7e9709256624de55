"""Estimated durations in one unit, in the reader's language."""

from django.utils.translation import gettext as _


class Spans:
    """Speaks of durations. Its words are looked up once for a page that has a thousand of them."""

    def __init__(self) -> None:
        self._milliseconds = _("%(number)s ms")
        self._units = ((86_400, _("%(number)s d")), (3_600, _("%(number)s h")), (60, _("%(number)s min")), (1, _("%(number)s s")))

    def short(self, seconds: float | None) -> str:
        """Return a duration as "850 ms", "2.4 s" or "12 min"; "" for None."""
        if seconds is None:
            return ""
        for size, text in self._units:
            if seconds >= size:
                number = round(seconds / size, 1)
                return text % {"number": f"{number:.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"}
        return self._milliseconds % {"number": f"{1000 * seconds:.0f}"}
