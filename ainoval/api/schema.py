"""`GET /api/schema` and `GET /api/docs`."""

import threading
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from ainoval.api.openapi import hide

# drf-spectacular keeps parts of what it generates on classes: two requests at once can fail, or spoil each other's document.
# Source: https://github.com/tfranzel/drf-spectacular/issues/1122 and 1123
_generating = threading.Lock()


class SchemaView(SpectacularAPIView):
    """`GET /api/schema`, as JSON: the same document for everyone, generated once in a process.

    The query parameters of its base class, `lang` and `version`, are ignored as all unknown ones are: it takes any text for them, and puts it into a header.
    """

    renderer_classes = [OpenApiJsonRenderer2]

    @hide
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the document."""
        with _generating:
            return Response(document(), headers={"Content-Disposition": 'inline; filename="AINoval.json"'})


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document; only one thread may generate it at a time."""
    generated: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return generated


class DocsView(SpectacularSwaggerSplitView):
    """`GET /api/docs`: Swagger UI from the installed package, its script apart from the page (no inline script, no
    CDN).
    """

    url_name = "schema"
