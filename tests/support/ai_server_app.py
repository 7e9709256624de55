"""The scripted AI server's application: what it records, and how it performs a step. `ai_server.py` documents it."""

import asyncio
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from tests.support.ai_script import Script, Step, parse_script


@dataclass
class Call:
    """One request, as it is shown under /_calls."""

    number: int
    at: float
    model: str
    stream: bool
    prompt: str
    marker: str | None
    key: str
    options: dict[str, Any]
    rule: int | None = None
    step: str = ""
    outcome: str | None = None
    ended_at: float | None = None

    def shown(self) -> dict[str, Any]:
        """Return the JSON form."""
        values = dict(vars(self))
        values["endedAt"] = values.pop("ended_at")
        return values


@dataclass
class State:
    """Everything the server remembers; only its own loop touches it."""

    script: Script = field(default_factory=Script)
    calls: list[Call] = field(default_factory=list)
    used: Counter[tuple[int, str]] = field(default_factory=Counter)
    current: int = 0
    peak: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, body: Mapping[str, Any], key: str) -> tuple[Call, Step]:
        """Record a call and choose its step."""
        prompt = "\n\n".join(str(message.get("content", "")) for message in body.get("messages", []))
        found = re.search(self.script.marker, prompt)
        call = Call(
            number=len(self.calls) + 1,
            at=time.time(),
            model=str(body.get("model", "")),
            stream=bool(body.get("stream")),
            prompt=prompt,
            marker=found.group(0) if found else None,
            key=key,
            options={name: value for name, value in body.items() if name not in EVERY_CALL_HAS},
        )
        self.calls.append(call)
        self.current += 1
        self.peak = max(self.peak, self.current)
        step = self.script.default
        for number, rule in enumerate(self.script.rules):
            if rule.matches(prompt):
                counted = (number, {"rule": "", "marker": call.marker or "", "prompt": prompt}[rule.per])
                step = rule.step(self.used[counted])
                self.used[counted] += 1
                call.rule = number
                break
        call.step = step.do
        return call, step

    def release(self) -> None:
        """Let go the calls that are held now; later ones are held anew."""
        self.let_go.set()
        self.let_go = asyncio.Event()

    def end(self, call: Call, outcome: str) -> None:
        """Record how a call ended."""
        call.outcome = outcome
        call.ended_at = time.time()
        self.current -= 1


EVERY_CALL_HAS = frozenset({"model", "messages", "stream", "stream_options"})
STATE = web.AppKey("state", State)
OPENAI_ERRORS = {
    "content_filter": (400, "content_filter", "The prompt was filtered by the content management policy."),
    "context_too_long": (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
    "insufficient_quota": (429, "insufficient_quota", "You exceeded your current quota."),
    "bad_key": (401, "invalid_api_key", "Incorrect API key provided: {key}."),
}


async def completions(request: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions."""
    state = request.app[STATE]
    body = await request.json()
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    call, step = state.begin(body, key)
    outcome = "disconnected"
    try:
        if step.do == "hold":
            await state.let_go.wait()
        if step.delay:
            await asyncio.sleep(step.delay)
        response, outcome = await perform(request, state.released, call, step)
    finally:
        state.end(call, outcome)
    return response


async def perform(request: web.Request, released: asyncio.Event, call: Call, step: Step) -> tuple[web.StreamResponse, str]:
    """Do what the step says; return the response and the outcome's name."""
    match step.do:
        case "hang":
            await released.wait()
            return web.Response(status=503), "released"
        case "raw":
            response = web.Response(status=step.status, body=step.body.encode(), content_type=step.content_type)
            return response, f"status {step.status}"
        case "status":
            return error(step.status, step.code, step.type, step.message, headers_of(step)), f"status {step.status}"
        case "content_filter" | "context_too_long" | "insufficient_quota" | "bad_key":
            status, code, message = OPENAI_ERRORS[step.do]
            return error(status, code, None, message.format(key=call.key), {}), f"status {status}"
        case "cut" if step.after_chunks == 0:
            drop(request)
            return web.Response(), "cut"
    text = "" if step.do == "empty" else default_text(call) if step.text is None else step.text
    if not call.stream:
        return web.json_response(whole(call, step, text)), "answered"
    return await stream(request, released, call, step, text)


async def stream(request: web.Request, released: asyncio.Event, call: Call, step: Step, text: str) -> tuple[web.StreamResponse, str]:
    """Answer with server-sent events."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    if step.do == "events":
        for event in step.events:
            await response.write(f"data: {event}\n\n".encode())
        return await closed(response), "answered"
    pieces = split(text, step.chunks)
    sent = 0
    breaks = step.do in ("broken_json", "error_event", "cut", "stall")
    while sent < (min(step.after_chunks, len(pieces)) if breaks else len(pieces)):
        if step.chunk_delay:
            await asyncio.sleep(step.chunk_delay)
        await response.write(event_of(call, [choice({"content": pieces[sent]}, None)]))
        sent += 1
    match step.do:
        case "broken_json":
            await response.write(b'data: {"id": "x", "choices": [{"del\n\n')
            return await closed(response), "broken_json"
        case "error_event":
            problem = {"error": {"message": step.message, "type": step.type, "code": step.code}}
            await response.write(f"data: {json.dumps(problem)}\n\n".encode())
            return await closed(response), "error_event"
        case "cut":
            drop(request)
            return response, "cut"
        case "stall":
            await released.wait()
            return await closed(response), "released"
        case "no_finish":
            return await closed(response), "no_finish"
    await response.write(event_of(call, [choice({}, step.finish_reason)]))
    if step.do == "linger":
        await released.wait()
        return await closed(response), "released"
    if step.usage and step.do != "no_usage":
        await response.write(event_of(call, [], usage(call, text)))
    await response.write(b"data: [DONE]\n\n")
    return await closed(response), "answered"


async def closed(response: web.StreamResponse) -> web.StreamResponse:
    """End the body properly."""
    await response.write_eof()
    return response


def drop(request: web.Request) -> None:
    """Reset the connection: no end of the body, no further byte."""
    if request.transport is not None:
        request.transport.abort()


def headers_of(step: Step) -> dict[str, str]:
    """Return the Retry-After or Location header of a step, if it has one."""
    if step.retry_after_date is not None:
        until = datetime.now(UTC) + timedelta(seconds=step.retry_after_date)
        return {"Retry-After": format_datetime(until, usegmt=True)}
    if step.location is not None:
        return {"Location": step.location}
    if step.retry_after is None:
        return {}
    return {"Retry-After": f"{step.retry_after:g}" if isinstance(step.retry_after, float) else step.retry_after}


def error(status: int, code: str | None, kind: str | None, message: str, headers: Mapping[str, str]) -> web.StreamResponse:
    """Return an error body as OpenAI writes it."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status, headers=headers)


def default_text(call: Call) -> str:
    """Return the text this prompt always gets."""
    digest = hashlib.sha256(call.prompt.encode()).hexdigest()[:8]
    words = " ".join(call.prompt.rsplit("\n\n", 1)[-1].split())[:60].rstrip(" .。")
    return f"Answer {digest}{f' to {call.marker}' if call.marker else ''}: {words}."


def split(text: str, count: int) -> list[str]:
    """Cut a text into `count` pieces of about one length."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def choice(delta: Mapping[str, str], finish_reason: str | None) -> dict[str, Any]:
    """Return one choice of a chunk."""
    return {"index": 0, "delta": dict(delta), "finish_reason": finish_reason}


def usage(call: Call, text: str) -> dict[str, int]:
    """Return token counts: a token is a word here, so that tests can check them."""
    prompt, answer = len(call.prompt.split()), len(text.split())
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def event_of(call: Call, choices: list[dict[str, Any]], used: Mapping[str, int] | None = None) -> bytes:
    """Return one chunk as an event."""
    chunk = {
        "id": f"call-{call.number}",
        "object": "chat.completion.chunk",
        "created": int(call.at),
        "model": call.model,
        "choices": choices,
        "usage": used,
    }
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


def whole(call: Call, step: Step, text: str) -> dict[str, Any]:
    """Return an answer that is not streamed."""
    return {
        "id": f"call-{call.number}",
        "object": "chat.completion",
        "created": int(call.at),
        "model": call.model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": step.finish_reason}],
        "usage": usage(call, text),
    }


async def show_calls(request: web.Request) -> web.Response:
    """GET /_calls."""
    contains, marker = request.query.get("contains", ""), request.query.get("marker")
    calls = [c for c in request.app[STATE].calls if contains in c.prompt and marker in (None, c.marker)]
    return web.json_response([call.shown() for call in calls])


async def show_stats(request: web.Request) -> web.Response:
    """GET /_stats."""
    state = request.app[STATE]
    body = {
        "calls": len(state.calls),
        "current": state.current,
        "peak": state.peak,
        "byMarker": Counter(call.marker for call in state.calls if call.marker),
        "answeredByMarker": Counter(c.marker for c in state.calls if c.marker and c.outcome == "answered"),
        "byOutcome": Counter(call.outcome or "running" for call in state.calls),
    }
    return web.json_response(body)


async def set_script(request: web.Request) -> web.Response:
    """POST /_script."""
    try:
        script = parse_script(await request.read())
        re.compile(script.marker)
    except (ValueError, re.error) as exc:
        return web.Response(status=400, text=str(exc))
    state = request.app[STATE]
    state.script = script
    state.used.clear()
    return web.json_response({"rules": len(script.rules)})


async def release(request: web.Request) -> web.Response:
    """POST /_release."""
    request.app[STATE].release()
    return web.json_response({})


async def reset(request: web.Request) -> web.Response:
    """POST /_reset: forget everything but the calls still open, which are let go."""
    state = request.app[STATE]
    state.release()
    state.released.set()
    state.released = asyncio.Event()
    state.script = Script()
    state.used.clear()
    state.calls.clear()
    state.peak = state.current
    return web.json_response({})


async def models(request: web.Request) -> web.Response:
    """GET /v1/models."""
    return web.json_response({"object": "list", "data": [{"id": "scripted-1", "object": "model"}]})


async def serve(port: int, script: Script, started: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set; `started` is called with the base URL."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app[STATE] = State(script=script)
    app.add_routes(
        [
            web.post("/v1/chat/completions", completions),
            web.get("/v1/models", models),
            web.get("/_calls", show_calls),
            web.get("/_stats", show_stats),
            web.post("/_script", set_script),
            web.post("/_release", release),
            web.post("/_reset", reset),
        ]
    )
    # With handler_cancellation a client that goes away is seen at once, also while nothing is being sent.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=4096)
    await site.start()
    started(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
    try:
        await stop.wait()
    finally:
        app[STATE].released.set()
        app[STATE].release()
        await runner.cleanup()
