"""The engine's door where it behaves as AWS does: the host tells what a request is for."""

import re
from typing import Any

import ministack.app

_API_HOST = re.compile(rb"[0-9a-f]{8}\.execute-api\..+")
_STAGE = "/$default"


class HostDoor:
    """The ASGI application. A request for an HTTP API's host, as `ApiUrl` of the stack names it, goes to that API.

    The engine does so too, but answers some paths itself on every host, such as /health; not those below a stage.
    Everything else is for the emulated services, S3's links and the registry of images among them.
    """

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        is_for_api = scope["type"] == "http" and _API_HOST.fullmatch(dict(scope["headers"]).get(b"host", b""))
        await ministack.app.app(_below_stage(scope) if is_for_api else scope, receive, send)


def _below_stage(scope: dict[str, Any]) -> dict[str, Any]:
    return scope | {"path": _STAGE + scope["path"], "raw_path": _STAGE.encode() + scope["raw_path"]}
