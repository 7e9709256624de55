"""What has to be refused before Django sees it.

Django's ASGI handler stores a whole body in a temporary file before any view or middleware runs, so a body without end
would fill the disk; and some headers raise while it builds the request object, outside of every error handler it has.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.utils.http import parse_header_parameters

from ainoval.api.problem import ProblemResponse, generic_problem, is_api
from ainoval.api.views import TEXT_BODY, UPLOAD_BODY
from ainoval.logs import get_logger

log = get_logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# A client that is still sending seldom reads the answer, and closing under it resets the connection: a body that is not
# absurd is swallowed first.
SWALLOWED_BYTES = 64 * 1024 * 1024
# Python reads its parameters in quadratic time, and the server bounds no header: longer ones, which Django REST framework would refuse, too, are not read.
MOST_CONTENT_TYPE_BYTES = 256


class _BodyTooLarge(Exception):
    """More came than is accepted."""


class RequestGuard:
    """ASGI middleware around Django: bounds the body while it arrives, and answers what Django would fail on with a
    problem document.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = body_limit(scope["path"])
        received = 0
        started = False

        async def bounded_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                await _swallow(receive, message, received)
                raise _BodyTooLarge
            return message

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        refusal = _refusal(scope)
        if refusal is None and _declared_length(scope) > limit:
            if _declared_length(scope) <= SWALLOWED_BYTES and not _header(scope, b"expect"):
                await _swallow(receive, {"more_body": True}, 0)
            refusal = generic_problem(413)
        if refusal is not None:
            await _answer(refusal, send)
            return
        try:
            await self.app(scope, bounded_receive, noting_send)
        except _BodyTooLarge:
            await _answer(generic_problem(413), send)
        except SuspiciousOperation:
            # A charset parameter makes Django look at the query string while it builds the request: too many fields raise there.
            await _answer(generic_problem(400), send)
        except Exception as exc:
            if started or not is_api(scope["path"]):
                raise
            log.error("unhandled_exception", exc_info=exc)
            await _answer(generic_problem(500), send)


def body_limit(path: str) -> int:
    """Return how much is read for a path; views have limits of their own below it."""
    return TEXT_BODY if is_api(path) and path != "/api/novels/import" else UPLOAD_BODY


def _refusal(scope: Message) -> ProblemResponse | None:
    try:
        scope.get("query_string", b"").decode()
    except UnicodeDecodeError:
        return ProblemResponse("bad_request", "The query string is not UTF-8: percent-encode it.")
    length = _header(scope, b"content-length")
    if length and not length.isdigit():
        return ProblemResponse("bad_request", "Content-Length is not a number.")
    content_type = _header(scope, b"content-type")
    if len(content_type) > MOST_CONTENT_TYPE_BYTES:
        return generic_problem(415)
    try:
        # The same calls that Django makes: a charset parameter may name a codec that is none for texts, or raises.
        _, parameters = parse_header_parameters(content_type.decode("latin-1"))
        if "charset" in parameters:
            b"x".decode(parameters["charset"], "replace")
    except (ValueError, LookupError, TypeError):
        return generic_problem(415)
    return None


def _declared_length(scope: Message) -> int:
    return int(_header(scope, b"content-length")[:19] or b"0")


def _header(scope: Message, name: bytes) -> bytes:
    headers: Iterable[tuple[bytes, bytes]] = scope.get("headers", [])
    return b",".join(value for key, value in headers if key == name)


async def _swallow(receive: Receive, message: Message, received: int) -> None:
    while message.get("more_body", False) and received <= SWALLOWED_BYTES:
        message = await receive()
        received += len(message.get("body", b""))


async def _answer(response: ProblemResponse, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]
    if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
