"""Malformed requests for the API: the same ones for the same seed."""

import base64
import random
from collections.abc import Sequence
from typing import Final

TARGETS: Final = """
    /api/tasks /api/tasks/types /api/tasks/{id} /api/tasks/{id}/apply /api/tasks/{id}/retry
    /api/tasks/generate-summary /api/tasks/GENERATE_SCENE /api/tasks/batch-generate-summary /api/tasks/batch-generate-scene
    /api/novels /api/novels/{id} /api/novels/{id}/scenes /api/novels/import /api/scenes/{id}
    /api/auth/token /api/auth/token/refresh /api/schema /api/docs /health/live /health/ready /api /api/{id} /health/{id}
""".split()
METHODS: Final = ["GET"] * 4 + ["POST"] * 4 + ["PATCH", "PATCH", "DELETE", "PUT", "OPTIONS", "HEAD", "TRACE", "FOO"]
IDS: Final = ["0" * 24, "f" * 24, "0" * 23 + "g", "a" * 300, *"x %00 %ff .. %2e%2e %2F é $ne {} %7B%22$gt%22:1%7D -1 null %0a %F0%9F%98%80".split()]
VALUES: Final = [
    *"null true 0 -1 1e400 NaN 9223372036854775807 9223372036854775808 1.5 1E-400 -0 01 'x' [] {} [[]]".split(),
    *r'"" "x" "\ud800" "\u0000" "\u202e" "\ud83d\ude00" "😀"'.split(),
    '"' + "x" * 3000 + '"',
    '{"$ne": null}',
    '{"a": {"$where": "1"}}',
    '"' + "0" * 24 + '"',
    '["' + "0" * 24 + '"]',
    "[" * 40 + "]" * 40,
]
NAMES: Final = [
    "",
    *"novelId sceneId chapterId startChapterId endChapterId sceneIds aiConfigId instructions overwriteExisting autoApply".split(),
    *"title acts summary content version sequence style targetWords force username password refresh $set a.b __proto__".split(),
]
QUERIES: Final = [
    *"page=1 page=-1 page=1&page=2 page=%D9%A1 page=99999999999999999999 page size=0 size=101 size=1e3 sortBy=$x sortDir=up".split(),
    *"status=QUEUED,RUNNING status=x parentId=%00 includeChildren=maybe taskType=%FF % a=%zz ; format=xml lang=%00".split(),
    "size=" + "9" * 5000,
    "&".join(f"a{n}=1" for n in range(1200)),
]
TYPES: Final = [
    *["application/json"] * 6,
    "text/plain",
    "application/json; charset=latin-1",
    "application/json; charset*=x''y",
    "multipart/form-data; boundary=b",
    "\xff",
    ";",
]


class Mischief:
    """Makes requests of which most are wrong somewhere.

    Args:
        known: Ids of things that exist: half of the ids are of these, so that requests get further.
    """

    def __init__(self, seed: int, authorization: str, known: Sequence[str] = ()) -> None:
        self.random = random.Random(seed)
        self.authorization = authorization
        self.known = known

    def value(self) -> str:
        """Return some JSON value, or what is none."""
        return f'"{self.random.choice(self.known)}"' if self.known and self.random.random() < 0.3 else self.random.choice(VALUES)

    def body(self) -> bytes:
        """Return some body."""
        pick = self.random.random()
        if pick < 0.15:
            return self.random.randbytes(self.random.randrange(60))
        if pick < 0.3:
            return self.value().encode()
        fields = ", ".join(f'"{self.random.choice(NAMES)}": {self.value()}' for _ in range(self.random.randrange(6)))
        text = "{" + fields + "}"
        if pick < 0.45:
            text = text[: self.random.randrange(len(text) + 1)]
        return text.encode()

    def headers(self) -> dict[str, str]:
        """Return some headers."""
        pick = self.random.choice
        headers = {"Authorization": self.authorization} if self.random.random() < 0.85 else {}
        if self.random.random() < 0.05:
            headers["Authorization"] = pick(["Bearer", "Bearer x", "Basic x", "Bearer \xff", "Bearer " + base64.b64encode(b"[" * 9000).decode() + ".a.b"])
        if self.random.random() < 0.9:
            headers["Content-Type"] = pick(
                ["application/json"] * 6
                + [
                    "text/plain",
                    "application/json; charset=latin-1",
                    "application/json; charset*=x''y",
                    "multipart/form-data; boundary=b",
                    "multipart/form-data; boundary=b; charset=hex",
                    "\xff",
                    ";",
                ]
            )
        if self.random.random() < 0.2:
            headers["Accept"] = pick(
                [
                    "text/html",
                    "*/*",
                    "application/json",
                    "application/json;q=x",
                    "application/json; x*=y; x*0=z",
                    "\xff",
                    ";",
                    "application/json; indent=99999999999999999999",
                    "application/json; indent=-1",
                ]
            )
        if self.random.random() < 0.2:
            headers["Idempotency-Key"] = pick(["", "k", "k" * 255, "k" * 256, "\xe9", "a, b", " "])
        if self.random.random() < 0.05:
            headers["Host"] = pick(["evil.example", "[::1", "a b", "127.0.0.1:x", "\xff"])
        if self.random.random() < 0.1:
            headers["Accept-Language"] = pick(["zh-hans", "\xff", "*", "a" * 300, "zh-hans;q=9"])
        if self.random.random() < 0.05:
            headers["Cookie"] = pick(["sessionid=x", "sessionid=\xff", "django_language=../x", "csrftoken=", "=;=;"])
        return headers

    def target(self) -> str:
        """Return some address."""
        ids = self.known if self.known and self.random.random() < 0.5 else IDS
        target = self.random.choice(TARGETS).replace("{id}", self.random.choice(ids))
        if self.random.random() < 0.4:
            target += "?" + "&".join(self.random.choice(QUERIES) for _ in range(self.random.randrange(1, 4)))
        return target

    def method(self) -> str:
        """Return some method."""
        return self.random.choice(METHODS)
