"""`POST /api/auth/token` and `POST /api/auth/token/refresh`."""

from dataclasses import asdict

from pydantic import Field
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from ainoval.accounts import throttle, tokens
from ainoval.api.bodies import RequestBody, ResponseBody, validated
from ainoval.api.openapi import describe
from ainoval.api.views import ApiView

TAG = "Authentication"
NO_STORE = {"Cache-Control": "no-store"}


class LogIn(RequestBody):
    """A username and a password."""

    username: str = Field(min_length=1, max_length=150)
    password: str = Field(min_length=1, max_length=1024)


class Refresh(RequestBody):
    """A refresh token; it can be used once."""

    refresh: str = Field(min_length=1, max_length=8192)


class Tokens(ResponseBody):
    """`access` goes into the Authorization header of requests; `refresh` gets the next pair."""

    access: str
    refresh: str


class _TokenEndpoint(ApiView):
    authentication_classes = []
    permission_classes = [AllowAny]


class TokenView(_TokenEndpoint):
    """Log in."""

    @describe(
        "logIn",
        "Log in",
        tag=TAG,
        request=LogIn,
        answers={200: Tokens},
        refusals={400: "A field is missing", 401: "Wrong username or password", 429: "Too many failed attempts: see Retry-After"},
        examples={"Log in": {"username": "demo", "password": "…"}},
    )
    def post(self, request: Request) -> Response:
        """Exchange username and password for tokens."""
        body = validated(LogIn, request.data)
        with throttle.attempt("log-in", throttle.client_address(request._request), body.username):
            pair = tokens.log_in(request._request, body.username, body.password)
        return Response(asdict(pair), headers=NO_STORE)


class RefreshView(_TokenEndpoint):
    """Renew the tokens."""

    @describe(
        "refreshTokens",
        "Renew the tokens",
        tag=TAG,
        request=Refresh,
        answers={200: Tokens},
        refusals={401: "The token is not valid, or was used before", 429: "Too many failed attempts: see Retry-After"},
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair; the old one is used up, and dies with a change of the password."""
        body = validated(Refresh, request.data)
        # Counted by the token's own text: who sends a bad one again and again is stopped, and nobody else is.
        with throttle.attempt("refresh", throttle.client_address(request._request), body.refresh):
            pair = tokens.renew(body.refresh)
        return Response(asdict(pair), headers=NO_STORE)
