"""Swagger UI, which Powertools brings along, on pages that load nothing from anywhere else."""

import functools
from pathlib import Path

import aws_lambda_powertools

# Found by path: to import the package that holds them would load pydantic.
_UI = Path(aws_lambda_powertools.__file__).parent / "event_handler/openapi/swagger_ui"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reelhaul API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"><a href="openapi.json">The OpenAPI document</a></div>
<script src="docs/swagger-ui.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Addresses are relative to the page, so that they hold behind a stage's name as well. Without a `validatorUrl` of null
# Swagger UI would show the document to a service on the internet.
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
});
"""

# Swagger UI sets styles on elements and draws its signs from data: addresses; all else comes from this service.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_SOURCES = {"swagger-ui.js": "swagger-ui-bundle.min.js", "swagger-ui.css": "swagger-ui.min.css"}
FILES = ("start.js", *_SOURCES)


@functools.cache
def file(name: str) -> str:
    """The text of one of `FILES`."""
    return _START if name == "start.js" else (_UI / _SOURCES[name]).read_text(encoding="utf-8")


def content_type(name: str) -> str:
    return _TYPES[Path(name).suffix]
