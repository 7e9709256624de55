"""From the failures of the SDK and of the transport below it to ours. Pure, and imported only with the SDK."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx2
import openai

from ainoval.ai.errors import AIError, AIErrorCode
from ainoval.ai.profiles import Profile

# Everything the SDK lets through: its own errors, those of both transports, and what parsing a broken stream raises.
FAILURES = (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError, ValueError, TypeError, AttributeError)

DEFAULT_WAIT_SECONDS = 5.0
# A rate limit gives its attempt back, so a wait of zero would be a loop without a pause or an end.
MIN_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 3600.0

_BY_STATUS = {
    400: (AIErrorCode.INVALID_REQUEST, "The AI server refused the request as invalid"),
    401: (AIErrorCode.AUTHENTICATION, "The AI server did not accept the key"),
    402: (AIErrorCode.INSUFFICIENT_QUOTA, "The AI account has no credit left"),
    403: (AIErrorCode.PERMISSION, "The key may not use this model"),
    404: (AIErrorCode.MODEL_NOT_FOUND, "The AI server does not know this model or address"),
    408: (AIErrorCode.TIMEOUT, "The AI server gave up waiting"),
    409: (AIErrorCode.PROVIDER_UNAVAILABLE, "The AI server was busy with a conflict"),
    413: (AIErrorCode.CONTEXT_TOO_LONG, "The text is too long for the AI server"),
    425: (AIErrorCode.PROVIDER_UNAVAILABLE, "The AI server was not ready"),
    429: (AIErrorCode.RATE_LIMITED, "The AI server asks to wait"),
}
# Codes and types of OpenAI, Azure, DeepSeek, DashScope and llama.cpp; they say more than the status.
_BY_CODE = {
    "insufficient_quota": AIErrorCode.INSUFFICIENT_QUOTA,
    "billing_hard_limit_reached": AIErrorCode.INSUFFICIENT_QUOTA,
    "insufficient_balance": AIErrorCode.INSUFFICIENT_QUOTA,
    "content_filter": AIErrorCode.CONTENT_FILTERED,
    "content_policy_violation": AIErrorCode.CONTENT_FILTERED,
    "responsibleaipolicyviolation": AIErrorCode.CONTENT_FILTERED,
    "data_inspection_failed": AIErrorCode.CONTENT_FILTERED,
    "datainspectionfailed": AIErrorCode.CONTENT_FILTERED,
    "context_length_exceeded": AIErrorCode.CONTEXT_TOO_LONG,
    "exceed_context_size_error": AIErrorCode.CONTEXT_TOO_LONG,
    "model_not_found": AIErrorCode.MODEL_NOT_FOUND,
    "invalid_api_key": AIErrorCode.AUTHENTICATION,
}
# In a stream that began with 200 there is no status: then these count too.
_BY_CODE_IN_STREAM = {"rate_limit_exceeded": AIErrorCode.RATE_LIMITED, "429": AIErrorCode.RATE_LIMITED}
_WORDS = {
    AIErrorCode.INSUFFICIENT_QUOTA: "The AI account has no quota left",
    AIErrorCode.CONTENT_FILTERED: "The AI's content filter refused the text",
    AIErrorCode.CONTEXT_TOO_LONG: "The text is too long for this model",
    AIErrorCode.MODEL_NOT_FOUND: "The AI server does not know this model",
    AIErrorCode.AUTHENTICATION: "The AI server did not accept the key",
    AIErrorCode.RATE_LIMITED: "The AI server asks to wait",
    AIErrorCode.PROVIDER_UNAVAILABLE: "The AI server reported an error",
}
# vLLM and others give no code for this one.
_TOO_LONG = re.compile(r"maximum context length|context (?:length|window|size)|too many tokens", re.IGNORECASE)
# Providers quote keys in these, more or less masked; nothing of theirs is repeated.
_SILENT = {AIErrorCode.AUTHENTICATION, AIErrorCode.PERMISSION}
_SECRET = re.compile(r"\bsk-[\w*.-]{4,}|\bBearer\s+\S+|(?<=//)[^/\s@]+@", re.IGNORECASE)
_MAX_REMARK = 200


def translate(failure: Exception, profile: Profile, *, streaming: bool, now: datetime) -> AIError:
    """Return the AIError that a failure of the SDK means.

    Args:
        streaming: The answer had begun.
        now: For a Retry-After given as a date, when the server sent no date of its own.
    """
    match failure:
        case openai.APIStatusError():
            return _from_status(failure, profile, now)
        case openai.APIConnectionError() | httpx2.HTTPError() | aiohttp.ClientError() | OSError():
            return _from_transport(failure, profile, streaming=streaming)
        case openai.APIError():
            return _from_event(failure, profile)
        case _:
            return AIError("The AI sent something that cannot be read.", code=AIErrorCode.BAD_RESPONSE)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how long the server asks to wait, between 1 and 3600 s; None if it does not say.

    Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after; `retry-after-ms` is OpenAI's finer one.
    """
    wait: float | None = None
    value = headers.get("retry-after", "").strip()
    if (milliseconds := headers.get("retry-after-ms", "").strip()) and _is_number(milliseconds):
        wait = float(milliseconds) / 1000
    elif _is_number(value):
        wait = float(value)
    elif (until := _date(value)) is not None:
        # By the server's own clock where it shows it: ours may be minutes off.
        wait = (until - (_date(headers.get("date", "")) or now)).total_seconds()
    return None if wait is None else min(max(wait, MIN_WAIT_SECONDS), MAX_WAIT_SECONDS)


def _from_status(failure: openai.APIStatusError, profile: Profile, now: datetime) -> AIError:
    status = failure.status_code
    body = failure.body if isinstance(failure.body, dict) else {}
    remark = _remark(body, profile)
    code = next((_BY_CODE[word] for word in _labels(body) if word in _BY_CODE and status < 500), None)
    if code is None and status in (400, 422) and _TOO_LONG.search(remark):
        code = AIErrorCode.CONTEXT_TOO_LONG
    if code is not None:
        words = _WORDS[code]
    elif status >= 500:
        code, words = AIErrorCode.PROVIDER_UNAVAILABLE, f"The AI server failed with status {status}"
    elif status < 400:
        code, words = AIErrorCode.INVALID_REQUEST, "The AI server points to another address; correct the base URL"
    else:
        code, words = _BY_STATUS.get(status, _BY_STATUS[400])
    wait = retry_after_seconds(failure.response.headers, now)
    if code is AIErrorCode.RATE_LIMITED and wait is None:
        wait = DEFAULT_WAIT_SECONDS
    return AIError(_sentence(words, code, remark), code=code, retry_after=wait, details={"status": status})


def _from_event(failure: openai.APIError, profile: Profile) -> AIError:
    """An error sent inside the stream, after status 200."""
    body = failure.body if isinstance(failure.body, dict) else {}
    known = _BY_CODE | _BY_CODE_IN_STREAM
    code = next((known[word] for word in _labels(body) if word in known), AIErrorCode.PROVIDER_UNAVAILABLE)
    wait = DEFAULT_WAIT_SECONDS if code is AIErrorCode.RATE_LIMITED else None
    return AIError(_sentence(_WORDS[code], code, _remark(body, profile)), code=code, retry_after=wait)


def _from_transport(failure: Exception, profile: Profile, *, streaming: bool) -> AIError:
    # The SDK calls a refused or dropped connection a time-out (its aiohttp transport maps it so): the cause tells.
    timed_out = isinstance(failure, openai.APITimeoutError)
    for cause in _causes(failure):
        if isinstance(cause, aiohttp.ClientError | OSError):
            timed_out = isinstance(cause, TimeoutError)
            connecting = isinstance(cause, aiohttp.ConnectionTimeoutError)
            break
    else:
        connecting = False
    if not timed_out:
        words = "The connection to the AI server broke off" if streaming else "The AI server could not be reached"
        return AIError(f"{words}.", code=AIErrorCode.CONNECTION)
    if streaming:
        wait = profile.stall_timeout_seconds
        return AIError(f"The AI sent nothing for {wait:g} s.", code=AIErrorCode.STALLED)
    wait = profile.connect_timeout_seconds if connecting else profile.stall_timeout_seconds
    return AIError(f"The AI server did not answer within {wait:g} s.", code=AIErrorCode.TIMEOUT)


def _causes(failure: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while failure is not None and seen < 20:
        yield failure
        failure, seen = failure.__cause__ or failure.__context__, seen + 1


def _labels(body: Mapping[str, Any]) -> Iterator[str]:
    """The machine-readable words of an error body: its code, its type, and Azure's inner code."""
    inner = body.get("innererror")
    for value in (body.get("code"), body.get("type"), inner.get("code") if isinstance(inner, dict) else None):
        if isinstance(value, str | int):
            yield str(value).lower()


def _remark(body: Mapping[str, Any], profile: Profile) -> str:
    """The server's own words, short, in one line, without what looks like a key or a password."""
    value = body.get("message")
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if profile.api_key is not None and (key := profile.api_key.get_secret_value()):
        text = text.replace(key, "***")
    text = _SECRET.sub("***", text)
    return text if len(text) <= _MAX_REMARK else text[: _MAX_REMARK - 1] + "…"


def _sentence(words: str, code: AIErrorCode, remark: str) -> str:
    if not remark or code in _SILENT:
        return f"{words}."
    return f"{words}: {remark}"


def _is_number(value: str) -> bool:
    return re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", value, re.ASCII) is not None


def _date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year of twenty digits
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
