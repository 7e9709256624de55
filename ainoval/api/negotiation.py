"""Which renderer answers a request."""

from collections.abc import Iterable

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class Negotiation(DefaultContentNegotiation):
    """Django REST framework's choice; an Accept header that cannot be read accepts nothing."""

    def select_renderer(self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None) -> tuple[BaseRenderer, str]:
        """Return the renderer and its media type.

        Raises:
            NotAcceptable: The client accepts none of them.
        """
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
        except TypeError as exc:
            # Python's email package, by which parameters are read, sorts the parts of one by their numbers: `a*=x; a*0=y` has a part without.
            raise NotAcceptable from exc
        return chosen
