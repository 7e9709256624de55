"""`GET /api/schema` and `GET /api/docs`."""

from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


class SchemaView(SpectacularAPIView):
    """`GET /api/schema`, as JSON."""

    renderer_classes = [OpenApiJsonRenderer2]


class DocsView(SpectacularSwaggerSplitView):
    """`GET /api/docs`: Swagger UI from the installed package, its script apart from the page (no inline script, no
    CDN).
    """

    url_name = "schema"
