"""Every error as `application/problem+json` (RFC 9457), and the one table from code to HTTP status.

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

import json
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions as drf
from rest_framework.views import set_rollback

from ainoval import mongo
from ainoval.errors import AinovalError
from ainoval.logs import get_logger

log = get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_OUTAGE = 5  # seconds: an election, or a restart of the database

STATUS: dict[str, int] = {
    # the request
    "bad_request": 400,
    "malformed_json": 400,
    "invalid_parameters": 400,
    "page_too_deep": 400,
    "invalid_idempotency_key": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    # who is asking
    "not_authenticated": 401,
    "invalid_credentials": 401,
    "token_not_valid": 401,
    "forbidden": 403,
    "too_many_attempts": 429,
    # novels
    "novel_not_found": 404,
    "chapter_not_found": 404,
    "scene_not_found": 404,
    "bad_novel": 400,  # and its subclasses and narrower codes, unless named here
    "end_before_start": 400,
    "too_many_scenes": 400,
    "chapter_not_empty": 409,
    "novel_changed": 409,
    "scene_changed": 409,
    "unreadable_novel": 400,  # likewise
    "file_too_large": 413,
    "unknown_format": 415,
    # tasks
    "task_not_found": 404,
    "unknown_task_type": 404,
    "unknown_ai_config": 400,
    "idempotency_key_reused": 409,
    "invalid_transition": 409,
    "already_ended": 409,
    "not_requeueable": 409,
    "requeue_the_parent": 409,
    "not_completed": 409,
    "already_applied": 409,
    "unreadable_result": 409,
    "target_gone": 409,
    "nothing_to_apply": 409,
    "not_applicable": 409,
    "queue_full": 429,
    "submit_rate": 429,
    "too_many": 429,
    # us
    "internal_error": 500,
    "mongodb_unavailable": 503,
    "database_unavailable": 503,
    "not_ready": 503,
}

_GENERIC: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be understood."),
    401: ("not_authenticated", "Send an access token: Authorization: Bearer <token>. POST /api/auth/token gives one."),
    403: ("forbidden", "You are not allowed to do this."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know the method: see the Allow header."),
    406: ("not_acceptable", "Answers are application/json: allow that in the Accept header."),
    413: ("payload_too_large", "The body is too large."),
    415: ("unsupported_media_type", "The body's Content-Type is not accepted here."),
    500: ("internal_error", "Something went wrong here; it has been logged. Trying again later may help."),
}


class ProblemResponse(HttpResponse):
    """A problem document as a response.

    Args:
        code: One of `STATUS`, which gives the HTTP status.
        detail: What is wrong with this request, and what to do next.
        extra: Members beside the standard ones (`errors`, `currentVersion`, …).
        retry_after: Seconds, for the header.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        extra: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        status = status or STATUS[code]
        body = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": code,
            "detail": detail,
            **(extra or {}),
        }
        super().__init__(json.dumps(body, ensure_ascii=False).encode(), status=status, content_type=CONTENT_TYPE)
        self["Content-Length"] = str(len(self.content))
        self["Cache-Control"] = "no-store"
        if retry_after is not None:
            self["Retry-After"] = str(max(1, math.ceil(retry_after)))
        if status == HTTPStatus.UNAUTHORIZED:
            self["WWW-Authenticate"] = 'Bearer realm="api"'


def generic_problem(status: int) -> ProblemResponse:
    """Return the problem that says no more than the status does."""
    code, detail = _GENERIC.get(status) or _GENERIC[400 if status < HTTPStatus.INTERNAL_SERVER_ERROR else 500]
    return ProblemResponse(code, detail)


def exception_handler(exc: Exception, context: Mapping[str, Any] | None = None) -> ProblemResponse:
    """Return the answer to an exception of a view (`REST_FRAMEWORK["EXCEPTION_HANDLER"]`); one that nobody expected is
    logged and is a 500.
    """
    set_rollback()
    match exc:
        case _ if mongo.is_unavailable(exc):  # before our own errors: MongodUnavailable is one, and its words are not for clients
            log.warning("mongodb_unavailable", error=str(exc))
            return ProblemResponse(
                "mongodb_unavailable",
                "The store cannot be reached now: try again in a moment.",
                retry_after=RETRY_AFTER_OUTAGE,
            )
        case AinovalError():
            return _of_ours(exc)
        case OperationalError() | InterfaceError():
            # SQLite: another writer held the lock for longer than the busy time-out; PostgreSQL: no connection.
            log.warning("database_unavailable", error=str(exc))
            return ProblemResponse(
                "database_unavailable",
                "The user database is busy: try again in a moment.",
                retry_after=RETRY_AFTER_OUTAGE,
            )
        case drf.ParseError() | drf.ValidationError():
            return ProblemResponse("bad_request", "The body cannot be read as its Content-Type says.")
        case drf.AuthenticationFailed():
            return ProblemResponse("token_not_valid", str(exc.detail))
        case drf.APIException():
            return generic_problem(exc.status_code)
        case RequestDataTooBig():
            return generic_problem(413)
        case SuspiciousOperation():
            return generic_problem(400)
        case Http404():
            return generic_problem(404)
        case PermissionDenied():
            return generic_problem(403)
    log.error("unhandled_exception", exc_info=exc, view=type((context or {}).get("view")).__name__)
    return generic_problem(500)


def _of_ours(exc: AinovalError) -> ProblemResponse:
    # A subclass may narrow its code; the base's status still says what kind of refusal it is.
    codes = [exc.code, *(cls.code for cls in type(exc).__mro__ if issubclass(cls, AinovalError))]
    status = next((STATUS[code] for code in codes if code in STATUS), None)
    if status is None:
        log.error("error_without_status", code=exc.code, exc_info=exc)
        return generic_problem(500)
    extra = dict(exc.details)
    if exc.errors:
        extra["errors"] = exc.errors
    return ProblemResponse(exc.code, exc.message, extra=extra, retry_after=getattr(exc, "retry_after", None), status=status)


def is_api(path: str) -> bool:
    """Whether a path belongs to programs, so that errors there are problem documents and never pages."""
    return path in ("/api", "/health") or path.startswith(("/api/", "/health/"))


def problem_middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Turn Django's own error pages into problem documents under /api and /health, DEBUG's pages with their tracebacks
    included.

    It is the outermost middleware: what an inner one refuses (an unknown host, a missing CSRF token) passes through
        here.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code < HTTPStatus.BAD_REQUEST or not is_api(request.path) or response.get("Content-Type") == CONTENT_TYPE:
            return response
        problem = generic_problem(response.status_code)
        for name in ("Allow", "Retry-After"):
            if name in response:
                problem[name] = response[name]
        return problem

    return middleware


@csrf_exempt
def nothing_here(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Answer any unknown address under /api and /health, before DEBUG's page or a redirect to a trailing slash
    could.
    """
    return generic_problem(404)
