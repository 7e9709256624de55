"""Logs: one event a line, with what was bound to the context (task, user, attempt, worker), readable or as JSON."""

import asyncio
import logging
import logging.config
import sys
import threading
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor


def where(_: Any, __: str, event: EventDict) -> EventDict:
    """Say where the line was written: on an event loop, or in which thread (the original design asks for it)."""
    try:
        asyncio.get_running_loop()
        event.setdefault("ran_on", "loop")
    except RuntimeError:
        event.setdefault("ran_on", f"thread:{threading.current_thread().name}")
    return event


def configure(log_format: Literal["console", "json"], level: str) -> None:
    """Route structlog and the standard library through one handler on standard error.

    Args:
        log_format: `console` for people, `json` for programs (one object a line).
        level: The lowest level that is written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        where,
    ]
    # Colours and wide padding are for a terminal; a pipe or a file gets plain lines.
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=28, exception_formatter=structlog.dev.plain_traceback)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structlog": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *([structlog.processors.format_exc_info] if log_format == "json" else []),
                        renderer,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structlog"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # Chatty libraries: their own warnings are enough.
                **{
                    name: {"level": "WARNING"}
                    for name in ("pymongo", "asyncio", "httpx", "httpx2", "openai", "aiohttp", "uvicorn.access", "django.security.DisallowedHost")
                },
                "django-q": {"handlers": ["stderr"], "level": level, "propagate": False},
            },
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger whose lines carry the bound context."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
