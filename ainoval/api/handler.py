"""Django behind ASGI, with each request in one thread from beginning to end.

Django's own ASGI handler changes between the event loop and a fresh thread for every middleware, signal and view of a request, and opens Django's database
anew in each of those threads. All our views are synchronous, so here the whole chain runs in one thread of a pool, whose database connection stays open.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any, cast

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from ainoval import mongo

THREADS = 40  # they mostly wait for MongoDB; what arrives together shares its waits (tasks_app.intake)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class ThreadedHandler(ASGIHandler):
    """Django as an ASGI application; answers are sent whole, so nothing behind it may stream without end."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain of middleware, synchronous throughout."""
        super().load_middleware(is_async=False)

    async def handle(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request."""
        loop = asyncio.get_running_loop()
        mongo.lend(loop)
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        context = contextvars.copy_context()
        answer: _Answer = await loop.run_in_executor(self._threads, context.run, self._answer, scope, body)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _answer(self, scope: Message, body: IO[bytes]) -> _Answer:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), scope=scope)
        request, refusal = self.create_request(scope, body)
        response: HttpResponseBase = cast(HttpResponseBase, refusal) if request is None else self.get_response(request)
        response._handler_class = type(self)  # type: ignore[attr-defined]  # the sender of request_finished
        try:
            return _Answer(response.status_code, _headers(response), _content(response))
        finally:
            response.close()
            body.close()


def _content(response: HttpResponseBase) -> bytes:
    match response:
        case HttpResponse():
            return response.content
        case StreamingHttpResponse():
            return b"".join(response)
    raise TypeError(f"{type(response).__name__} is no response that can be sent")


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    cookies = [(b"Set-Cookie", cookie.output(header="").strip().encode("ascii")) for cookie in response.cookies.values()]
    return [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()] + cookies
