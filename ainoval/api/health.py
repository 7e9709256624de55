"""`/health/live` and `/health/ready`: for load balancers and supervisors, so without a login."""

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from ainoval import mongo
from ainoval.api.bodies import ResponseBody
from ainoval.api.openapi import describe
from ainoval.api.problem import ProblemResponse
from ainoval.api.views import ApiView

TAG = "Health"
NO_STORE = {"Cache-Control": "no-store"}


class Live(ResponseBody):
    """The process answers."""

    status: str


class Checks(ResponseBody):
    """`up` or `down` for what is needed; `workers` counts those that reported lately, and is not required."""

    mongodb: str
    database: str
    workers: int


class Ready(ResponseBody):
    """Requests can be served."""

    status: str
    checks: Checks


class _HealthView(ApiView):
    authentication_classes = []
    permission_classes = [AllowAny]


class LiveView(_HealthView):
    """Whether the process answers."""

    @describe("live", "Whether the process answers", tag=TAG, answers={200: Live})
    def get(self, request: Request) -> Response:
        """Answer, whatever the databases do."""
        return Response({"status": "up"}, headers=NO_STORE)


class ReadyView(_HealthView):
    """Whether requests can be served.

    Attributes:
        count_workers: How many workers have reported lately; given by the URL configuration, which knows the tasks.
    """

    count_workers: Callable[[], int] = staticmethod(lambda: 0)

    @describe("ready", "Whether requests can be served", tag=TAG, answers={200: Ready}, refusals={503: "A database does not answer"})
    def get(self, request: Request) -> Response | ProblemResponse:
        """Ask MongoDB and Django's database; 503 when one of them does not answer."""
        checks: dict[str, Any] = {
            "mongodb": _word(mongo.ping()),
            "database": _word(_database_answers()),
        }
        if "down" in checks.values():
            return ProblemResponse(
                "not_ready",
                "A database does not answer: see checks.",
                extra={"checks": {**checks, "workers": None}},
                retry_after=5,
            )
        checks["workers"] = self.count_workers()
        return Response({"status": "ready", "checks": checks}, headers=NO_STORE)


def _word(answers: bool) -> str:
    return "up" if answers else "down"


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return False
    return True
