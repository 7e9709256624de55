"""Issue and renew tokens."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.utils import datetime_from_epoch

from ainoval.accounts.authentication import password_unchanged
from ainoval.accounts.models import User
from ainoval.errors import AinovalError

KEPT_AFTER_EXPIRY = timedelta(days=1)  # by whichever server's clock


class InvalidCredentials(AinovalError):
    """No active account has this username and password."""

    code = "invalid_credentials"


class InvalidRefreshToken(AinovalError):
    """The refresh token is not valid, was used before, or its account lost access: log in again."""

    code = "token_not_valid"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token for requests, and a refresh token for the next pair."""

    access: str
    refresh: str


def log_in(request: HttpRequest, username: str, password: str) -> TokenPair:
    """Return tokens for a username and password.

    Raises:
        InvalidCredentials: They are wrong, or the account is inactive.
    """
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        raise InvalidCredentials
    return issue(user)


def issue(user: User) -> TokenPair:
    """Return fresh tokens of a user. The records of those that have long expired go: nothing else would ever delete them."""
    OutstandingToken.objects.filter(user=user, expires_at__lt=timezone.now() - KEPT_AFTER_EXPIRY).delete()
    refresh = RefreshToken.for_user(user)
    return TokenPair(access=str(refresh.access_token), refresh=str(refresh))


def renew(raw: str) -> TokenPair:
    """Exchange a refresh token for a new pair; of two that come with the same one, one succeeds.

    simplejwt looks whether the token is on the blacklist and puts it there afterwards, so two interleaved requests both
    find it clean. Here the unique row of the blacklist decides: who inserts it goes on. It is committed together with
    the new token's row, so a crash
        between them costs nothing.

    Raises:
        InvalidRefreshToken: The token is forged, expired, of another kind, used before, or its user is gone, inactive
            or has a new password.
    """
    try:
        token = RefreshToken(raw)  # type: ignore[arg-type]  # simplejwt's hint names the class, its code takes the string
    except TokenError as exc:
        raise InvalidRefreshToken from exc
    user = User.objects.with_access(str(token.get(api_settings.USER_ID_CLAIM)))
    if user is None or not password_unchanged(token, user):
        raise InvalidRefreshToken
    try:
        with transaction.atomic():
            outstanding, _ = OutstandingToken.objects.get_or_create(
                jti=token[api_settings.JTI_CLAIM],
                defaults={
                    "user": user,
                    "created_at": datetime_from_epoch(token["iat"]),
                    "token": raw,
                    "expires_at": datetime_from_epoch(token["exp"]),
                },
            )
            BlacklistedToken.objects.create(token=outstanding)
            return issue(user)
    except IntegrityError as exc:
        raise InvalidRefreshToken from exc
