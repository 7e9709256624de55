"""Bearer tokens on requests: each request looks its user up, so a deleted or inactive one is refused at once."""

from functools import lru_cache

from django.contrib.auth.base_user import AbstractBaseUser
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import Token
from rest_framework_simplejwt.utils import aware_utcnow, get_md5_hash_password

from ainoval.accounts.models import User

REFUSED = "The access token is not valid, has expired, or belongs to an account without access: get a new one."


class BearerAuthentication(JWTAuthentication):
    """simplejwt's, with one answer to every token that is not good: a stolen one must not tell its finder why."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Token] | None:  # type: ignore[override]  # its type variable is bound to nothing
        """Return the request's user and token; None without an Authorization header.

        Raises:
            AuthenticationFailed: The token is malformed, forged, expired or of the wrong kind, or its user is deleted,
                inactive, or has a new password.
        """
        try:
            return super().authenticate(request)
        except AuthenticationFailed as exc:
            raise AuthenticationFailed(REFUSED, code="token_not_valid") from exc

    def get_validated_token(self, raw_token: bytes) -> Token:
        """Return a token that this server has signed and that has not expired; its signature is checked once, its expiry each time."""
        token = _signed_here(raw_token)
        try:
            token.check_exp(current_time=aware_utcnow())
        except TokenError as exc:
            raise InvalidToken from exc
        return token

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]  # likewise
        """Return the token's user."""
        user = User.objects.with_access(str(validated_token.get(api_settings.USER_ID_CLAIM)))
        if user is None or not password_unchanged(validated_token, user):
            raise AuthenticationFailed(REFUSED, code="token_not_valid")
        return user


@lru_cache(maxsize=4_096)
def _signed_here(raw_token: bytes) -> Token:
    return JWTAuthentication().get_validated_token(raw_token)


def password_unchanged(token: Token, user: User) -> bool:
    """Whether a token was issued under the user's present password."""
    return bool(token.get(api_settings.REVOKE_TOKEN_CLAIM) == get_md5_hash_password(user.password))
