"""Settings of the REST libraries, as plain values: `ainoval.settings` imports them, so nothing here may need Django."""

import hashlib
import hmac
from datetime import timedelta
from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["ainoval.accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["ainoval.api.parsing.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "ainoval.api.negotiation.Negotiation",
    # One renderer: no browsable pages, so nothing under /api is ever HTML (the documentation page names its own).
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "ainoval.api.openapi.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "ainoval.api.problem.exception_handler",
    # Unknown query parameters are ignored, `format` among them.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "AINoval",
    "VERSION": "1",
    "DESCRIPTION": "Background tasks for AI writing: submit, watch, cancel, retry, and apply the result to the novel.",
    "SCHEMA_PATH_PREFIX": "/api",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "displayRequestDuration": True},
    "CAMELIZE_NAMES": True,
    "COMPONENT_SPLIT_PATCH": False,
    "SORT_OPERATIONS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "PREPROCESSING_HOOKS": ["tasks_app.api.schema.one_path_per_task_type"],
    "POSTPROCESSING_HOOKS": ["ainoval.api.openapi.describe_problems"],
    "TAGS": [
        {
            "name": "Background Tasks",
            "description": "Submit work, follow it, cancel it, run it again, apply its result.",
        },
        {"name": "Novels", "description": "Novels and their scenes: what the tasks work on."},
        {"name": "Authentication", "description": "Bearer tokens."},
        {"name": "Health", "description": "For load balancers and supervisors."},
    ],
}

ACCESS_TOKEN_LIFETIME = timedelta(hours=1)
REFRESH_TOKEN_LIFETIME = timedelta(days=14)


def simple_jwt(secret_key: str, signing_key: str | None = None) -> dict[str, Any]:
    """Return SIMPLE_JWT.

    Args:
        secret_key: Django's, from which a signing key of its own is derived (HMAC-SHA-256) when none is given: whoever
            learns the one key cannot forge what the other signs.
        signing_key: `JWT_SIGNING_KEY`, 32 bytes or more.
    """
    derived = hmac.new(secret_key.encode(), b"ainoval.jwt.signing-key", hashlib.sha256).hexdigest()
    return {
        "ALGORITHM": "HS256",
        "SIGNING_KEY": signing_key or derived,
        "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME,
        "REFRESH_TOKEN_LIFETIME": REFRESH_TOKEN_LIFETIME,
        "AUTH_HEADER_TYPES": ("Bearer",),
        "USER_ID_FIELD": "id",
        "USER_ID_CLAIM": "sub",
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
        # Both kinds of token carry a hash of the stored password hash, so a changed password ends them all.
        "CHECK_REVOKE_TOKEN": True,
        "CHECK_USER_IS_ACTIVE": True,
    }
