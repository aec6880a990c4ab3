"""The engine's door where it behaves as AWS does: the host tells what a request is for. In the engine's process."""

import re
from typing import Any

import ministack.app

_API_HOST = re.compile(rb"([0-9a-f]{8})\.execute-api\..+")


class HostDoor:
    """The ASGI application. A request for an HTTP API's host, as `ApiUrl` of the stack names it, goes to that API.

    The engine knows APIs by their hosts too, but answers some paths of theirs itself, such as /health. Everything else
    is for the emulated services, S3's links and the registry of images among them.
    """

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        api = _API_HOST.fullmatch(dict(scope["headers"]).get(b"host", b"")) if scope["type"] == "http" else None
        await ministack.app.app(scope if api is None else _for_api(scope, api[1].decode()), receive, send)


def _for_api(scope: dict[str, Any], api_id: str) -> dict[str, Any]:
    """The request as API Gateway passes it on: it says itself how the client came in."""
    prefix = f"/_aws/execute-api/{api_id}/$default"
    headers = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-proto"]
    return scope | {
        "path": prefix + scope["path"],
        "raw_path": prefix.encode() + scope["raw_path"],
        "headers": [*headers, (b"x-forwarded-proto", b"https")],
    }
