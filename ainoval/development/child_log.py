"""What of a child's log a person at the terminal should see: each warning and error, in one line; the rest stays in the file."""

import ast
import json
import os
import re
import time
from collections import deque
from pathlib import Path

QUIET_SECONDS = 10.0

# "2026-11-24T04:46:14.248862Z [warning  ] claim_failed    [tasks_app.worker.worker] error=…", and uvicorn's "ERROR:    …".
_OURS = re.compile(r"^\S+Z \[(?P<level>warning|error|critical)\s*\] (?P<event>.*?)(?:\s+\[(?P<logger>[\w.-]+)\])?(?P<more>(?: \S+=.*)?)$")
_UVICORN = re.compile(r"^(?P<level>WARNING|ERROR|CRITICAL):\s+(?P<event>.*)$")
_WHERE = re.compile(r" ran_on=\S+")
_TRACEBACK = re.compile(r"""(?<= )traceback=(None|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") ?""")
_KIND = re.compile(r" (?:task_type|code)=\S+")
_LEVELS = ("warning", "error", "critical")


class LogReader:
    """Reads what is appended to a log from now on.

    Args:
        path: The file.
        offset: Where the child's own output begins.
    """

    def __init__(self, path: Path, offset: int) -> None:
        self.path = path
        self._offset = offset
        self._shown: dict[str, float] = {}

    def complaints(self) -> list[str]:
        """Return the new warnings and errors; one that repeats itself (of one task type, with one code) is quiet for ten seconds."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    self._offset = 0  # somebody has emptied it
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return []  # somebody has deleted it: the child works on
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for line in whole.decode("utf-8", "replace").splitlines():
            if (complaint := complaint_in(line)) and self._is_news(complaint):
                found.append(complaint)
        return found

    def tail(self, lines: int) -> list[str]:
        """Return the last lines of the log."""
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                return [line.rstrip() for line in deque(file, lines)]
        except FileNotFoundError:
            return []

    def _is_news(self, complaint: str) -> bool:
        kind, now = complaint.split("=")[0] + "".join(_KIND.findall(complaint)), time.monotonic()
        is_news = now - self._shown.get(kind, float("-inf")) > QUIET_SECONDS
        if is_news:
            self._shown[kind] = now
        return is_news


def complaint_in(line: str) -> str | None:
    """Return a log line's warning or error in short; None for any other line."""
    if line.startswith("{"):
        return _json_complaint(line)
    if match := _OURS.match(line):
        level, event, logger, more = match["level"], match["event"], match["logger"], _TRACEBACK.sub(_in_text, _WHERE.sub("", match["more"]))
    elif match := _UVICORN.match(line):
        level, event, logger, more = match["level"].lower(), match["event"], "uvicorn", ""
    else:
        return None
    return _complaint(level, event, logger, more.strip())


def _json_complaint(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    level = entry.pop("level", None)
    if level not in _LEVELS:
        return None
    event, logger, traceback = str(entry.pop("event", "")), str(entry.pop("logger", "")), entry.pop("traceback", None)
    if isinstance(traceback, str):
        entry["raised"] = _raised(traceback)
    return _complaint(level, event, logger, " ".join(f"{k}={v}" for k, v in entry.items() if k not in ("timestamp", "ran_on", "exception")))


def _in_text(match: re.Match[str]) -> str:
    return "" if match[1] == "None" else f"raised={_raised(ast.literal_eval(match[1]))} "


def _raised(traceback: str) -> str:
    """Return what was raised: the last line, where the first ones would fill the terminal."""
    return (traceback.strip().splitlines() or ["?"])[-1]


def _complaint(level: str, event: str, logger: str, more: str) -> str | None:
    # A 404 or 401 is the client's affair, who was told.
    if level == "warning" and logger == "django.request":
        return None
    return f"{level}: {event} {more}".strip()
