"""`GET /` and `GET /assets/{file}`: the page for people. No key is needed to load it; it asks for one itself.

Nothing here asks AWS for anything. All that differs between two deployments is where their links lead.
"""

import functools
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from page import files, policy
from page.files import Form
from reelhaul import http
from reelhaul.errors import RouteNotFound
from reelhaul.settings import PageSettings

logger = Logger(service="page")
app = http.resolver(logger, for_tenants=False)

_READ = ["GET", "HEAD"]
# Names of assets have their contents' hash in them; the page itself, which names them, is asked for each time.
_REVALIDATED, _KEPT = "no-cache", "public, max-age=31536000, immutable"


@functools.cache
def settings() -> PageSettings:
    return PageSettings.from_env(os.environ)


@app.route("/", method=_READ)
def get_page() -> Response[bytes]:
    return _answer("index.html", cached=_REVALIDATED)


@app.route("/assets/<file>", method=_READ)
def get_asset(file: str) -> Response[bytes]:
    return _answer(f"assets/{file}", cached=_KEPT)


def _answer(name: str, *, cached: str) -> Response[bytes]:
    """The file, in the form that the browser takes best; 304 where it has that already. Raises `RouteNotFound`."""
    asked = app.current_event
    form = files.form(name, accepted=asked.headers.get("accept-encoding") or "")
    if form is None:
        raise RouteNotFound
    headers = policy.headers(settings()) | _of(form) | {"Cache-Control": cached}
    if http.has_already(asked, form.etag):
        return Response(304, headers=headers)
    body = form.body if asked.http_method == "GET" else b""
    return Response(200, form.content_type, body, headers=headers)


def _of(form: Form) -> dict[str, str]:
    encoding = {} if form.encoding is None else {"Content-Encoding": form.encoding}
    return {"ETag": form.etag, "Vary": "Accept-Encoding"} | encoding


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
