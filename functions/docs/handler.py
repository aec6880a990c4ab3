"""`GET /openapi.json`, `GET /docs`, `GET /health`, and every request that no route is for. No key is needed here.

Nothing here asks AWS for anything: that this function answers says that the API is there, and no more.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext

from docs import document, pages
from reelhaul import http
from reelhaul.errors import MethodNotAllowed, RouteNotFound

logger = Logger(service="docs")
app = http.resolver(logger, for_tenants=False)

_REVALIDATED = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
# They change with a release only, and a browser that shows yesterday's for a day does no harm.
_KEPT = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}


@app.get("/health")
def get_health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/openapi.json", compress=True)
def get_document() -> Response[str]:
    return Response(200, "application/json", document.text(), headers=_REVALIDATED)


@app.get("/docs")
def get_docs() -> Response[str]:
    headers = _REVALIDATED | {"Content-Security-Policy": pages.POLICY, "Referrer-Policy": "no-referrer"}
    return Response(200, "text/html; charset=utf-8", pages.PAGE, headers=headers)


@app.get("/docs/<file>", compress=True)
def get_docs_file(file: str) -> Response[str]:
    if file not in pages.FILES:
        raise RouteNotFound
    return Response(200, pages.content_type(file), pages.file(file), headers=_KEPT)


def refuse(_error: NotFoundError) -> Response[str]:
    """404, or 405 for a path of another method. A key is not asked for: what routes there are is no secret.

    What a browser asks before a request of a web page (OPTIONS) comes here, too: API Gateway adds the answer's headers.
    """
    methods = document.methods_at(app.current_event.path)
    if methods and app.current_event.http_method == "OPTIONS":
        return Response(204, headers={"Allow": ", ".join(sorted(methods))})
    if methods and app.current_event.http_method not in methods:
        raise MethodNotAllowed(methods)
    raise RouteNotFound


app.not_found(refuse)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
