"""The one OpenAPI document of the service. Pure."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelhaul.documentation import replies, requests
from reelhaul.documentation.operations import JSON, OPERATIONS, TAGS
from reelhaul.documentation.words import Schema
from reelhaul.options import MAX_PLAYLIST_ITEMS

EXAMPLES = Path(__file__).with_name("examples.json")  # copied from real replies by a test
TITLE = "Reelhaul"
_DESCRIPTION = """Send a URL, get the file behind it as a link that stays valid for 24 hours.

One set of downloads, two contracts: each is for clients that exist, and sees what was created by the other. A key is
sent as `x-access-token` or as `Authorization: Bearer`. Whatever goes wrong has one shape, with a `code` for programs.
An address that is not described here is answered with 404 `route.not_found`, one that does not take the method with 405
`request.method_not_allowed` and `Allow`."""
_SECURITY_SCHEMES = {
    "accessToken": {"type": "apiKey", "in": "header", "name": "x-access-token", "description": "An access key."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same access key."},
}
_HEADERS = {
    "WwwAuthenticate": {
        "description": "How to prove who you are (RFC 9110, 11.6.1).", "required": True, "schema": {"const": "Bearer"},
    },
    "RetryAfter": {
        "description": "After how many seconds it may be tried again.", "schema": {"type": "integer", "minimum": 0},
    },
}  # fmt: skip

Document = dict[str, Any]


class RoutesDiffer(Exception):
    """A route without documentation, or documentation without a route; the message names them."""


def document(skeleton: Document, *, max_retention_days: int, max_playlist_items: int = MAX_PLAYLIST_ITEMS) -> Document:
    """`skeleton` is a document with the routes as the handlers know them. Raises `RoutesDiffer`.

    What it says about an operation is replaced: of a request or a reply it knows nothing.
    """
    paths = _paths(skeleton["paths"])
    return {
        "openapi": skeleton["openapi"],
        "info": skeleton["info"] | {"title": TITLE, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": TAGS,
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "parameters": requests.PARAMETERS,
            "headers": _HEADERS,
            "schemas": requests.bodies(max_retention_days=max_retention_days, max_playlist_items=max_playlist_items)
            | replies.ALL,
        },
    }


def _paths(found: Mapping[str, Mapping[str, object]]) -> dict[str, Schema]:
    routes = {f"{method.upper()} {path}" for path, methods in found.items() for method in methods}
    if routes != OPERATIONS.keys():
        raise RoutesDiffer(
            f"Without documentation: {sorted(routes - OPERATIONS.keys())}. "
            f"Without a route: {sorted(OPERATIONS.keys() - routes)}."
        )
    paths: dict[str, Schema] = {}
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8")) if EXAMPLES.exists() else []
    for route, operation in with_examples(OPERATIONS, examples).items():
        method, path = route.split()
        paths.setdefault(path, {})[method.lower()] = operation
    return paths


# --- examples --------------------------------------------------------------------------------------------------------


def with_examples(operations: Mapping[str, Schema], examples: list[Schema]) -> dict[str, Schema]:
    """The operations with these `examples`: each has a `route`, `name`, `status`, `reply` and perhaps a `request`."""
    shown = copy.deepcopy(dict(operations))
    for example in examples:
        operation, name = shown[example["route"]], example["name"]
        _add(operation["responses"][example["status"]], name, example["reply"])
        if "request" in example:
            _add(operation["requestBody"], name, example["request"])
    return shown


def _add(described: Schema, name: str, value: object) -> None:
    described["content"][JSON].setdefault("examples", {})[name] = {"value": value}
