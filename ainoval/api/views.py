"""The base of our views: a request whose body is bounded and read whatever its framing."""

import io
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.views import APIView

from ainoval.api.errors import PayloadTooLarge, RequestError

KIB = 1024
SMALL_BODY = 64 * KIB
TEXT_BODY = 1024 * KIB
UPLOAD_BODY = 20 * 1024 * KIB + SMALL_BODY  # a file of 20 MiB, and what multipart adds around it


class BoundedRequest(Request):
    """A request that never reads more than its view allows.

    Django REST framework looks at Content-Length alone, so it takes a chunked body (which has none) for an empty one;
    and Django's own limit is one number for all views.
    """

    def _load_stream(self) -> None:
        view = (self.parser_context or {}).get("view")
        limit = view.body_limit if isinstance(view, ApiView) else SMALL_BODY
        if _declared_length(self._request) > limit:
            raise PayloadTooLarge(limit)
        try:
            data = self._request.read(limit + 1)
        except OSError as exc:
            raise RequestError("The body ended before its announced length.") from exc
        if len(data) > limit:
            raise PayloadTooLarge(limit)
        # The multipart parser believes this header; a chunked request has none.
        self._request.META["CONTENT_LENGTH"] = str(len(data))
        # None makes an empty body `{}`, whatever its Content-Type.
        self._stream = io.BytesIO(data) if data else None  # type: ignore[assignment]  # as in its base class


class ApiView(APIView):
    """A view of the REST API.

    Attributes:
        body_limit: The largest body, in bytes.
    """

    body_limit: ClassVar[int] = SMALL_BODY

    @property
    def allowed_methods(self) -> list[str]:
        """The methods that this address knows, for the Allow header: not OPTIONS, which is refused (the OpenAPI document is what describes the API)."""
        return [method for method in super().allowed_methods if method != "OPTIONS"]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Return the request that handlers get."""
        return BoundedRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )


def _declared_length(request: HttpRequest) -> int:
    declared = str(request.META.get("CONTENT_LENGTH") or "0")
    if not (declared.isascii() and declared.isdigit()):
        raise RequestError("Content-Length is not a number.")
    return int(declared[:19])


def user_id(request: Request) -> str:
    """Return whose request it is, as the documents in MongoDB name their owner."""
    return str(request.user.pk)
