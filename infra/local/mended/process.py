"""The embedded engine's process: ministack behind one door.

On one port live two things. A request that is signed for AWS (or ministack's own health check) goes to the emulated
services; every other is one for the service's HTTP API, whose address on AWS is a host name of its own. Nothing else of
ministack's can be reached, such as its reset, which asks for no signature.

Where every right is enforced (`AUTH`) it is as on AWS: `hosts` goes by the host that a request is for.
"""

import asyncio
import os
import resource
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import ministack.app
from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.services import s3

from infra.local.mended import callbacks, containers, deployments, fair_queues, gaps
from infra.local.mended.hosts import HostDoor
from infra.local.mended.streams import Streams

_NOT_YET = b'{"success":false,"message":"Not deployed yet.","detail":"Not deployed yet.","code":"service.unavailable"}'
_SLOW = ("/async-response/", "/api/info", "/updates")  # requests that mostly wait

Headers = list[tuple[bytes, bytes]]


def _is_for_aws(scope: dict[str, Any]) -> bool:
    if scope["path"] == "/_ministack/health" or callbacks.is_one(scope):
        return True
    headers = dict(scope["headers"])
    # No web page signs for AWS on its own. One that tries from elsewhere must not reach what is on this machine.
    return headers.get(b"authorization", b"").startswith(b"AWS4-") and b"origin" not in headers


def _is_link(scope: dict[str, Any]) -> bool:
    """A presigned link, which the engine verifies. It verifies those for S3 only, so no others get in."""
    signed = parse_qs(scope["query_string"].decode("latin-1"))
    return "/s3/aws4_request" in "".join(signed.get("X-Amz-Credential", [])) and "X-Amz-Signature" in signed


class FrontDoor:
    """The ASGI application. `api_file` holds the API's id as soon as there is one."""

    def __init__(self, api_file: Path) -> None:
        self._api_file = api_file
        self._prefix: str | None = None
        # The engine starts a Python for each call that runs beside another. Too many at once would all be too late.
        self._quick, self._waiting = asyncio.Semaphore(6), asyncio.Semaphore(32)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or _is_for_aws(scope):
            await ministack.app.app(scope, receive, send)
        elif _is_link(scope):
            await _serve_link(scope, receive, send)
        else:
            await self._serve_api(scope, receive, send)

    async def _serve_api(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        prefix = self._known_prefix()
        if prefix is None:
            await _reply(send, 503, [(b"content-type", b"application/json"), (b"retry-after", b"1")], _NOT_YET)
            return
        room = self._waiting if scope["path"].startswith(_SLOW) else self._quick
        async with room:
            await ministack.app.app(self._for_api(scope, prefix), receive, send)

    def _known_prefix(self) -> str | None:
        if self._prefix is None and self._api_file.exists():
            self._prefix = f"/_aws/execute-api/{self._api_file.read_text().strip()}/$default"
        return self._prefix

    def _for_api(self, scope: dict[str, Any], prefix: str) -> dict[str, Any]:
        """The request as API Gateway's own door passes it on: it says itself how the client came in."""
        headers = _without(scope["headers"], b"x-forwarded-proto", b"x-forwarded-port")
        return scope | {
            "path": prefix + scope["path"],
            "raw_path": prefix.encode() + scope["raw_path"],
            "headers": [*headers, (b"x-forwarded-proto", b"http")],
        }


async def _serve_link(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """As S3 on a host of its own: clients send no `Authorization` there, and the bucket says what web pages may do."""
    bucket, _, key = scope["path"].lstrip("/").partition("/")
    headers = _without(scope["headers"], b"authorization")
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    if scope["method"] == "OPTIONS":
        status, answer, body = s3.cors_preflight(bucket, key, named)
        await _reply(send, status, _encoded(answer), body)
        return
    allowed = _encoded(s3.cors_response_headers(bucket, scope["method"], named))

    async def send_with_cors(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            others = [header for header in message["headers"] if not header[0].lower().startswith(b"access-control-")]
            message = message | {"headers": [*others, *allowed]}
        await send(message)

    await ministack.app.app(scope | {"headers": headers}, receive, send_with_cors)


def _without(headers: Headers, *names: bytes) -> Headers:
    return [(name, value) for name, value in headers if name not in names]


def _encoded(headers: dict[str, str]) -> Headers:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def _reply(send: Any, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    gaps.install()
    callbacks.install()
    fair_queues.install()
    Streams().install()
    if ministack.app.AUTH:
        deployments.install()
        containers.install()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['LISTEN_PORT']}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ["LOG_LEVEL"]
    if os.environ.get("USE_SSL"):
        config.certfile, config.keyfile = os.environ["MINISTACK_SSL_CERT"], os.environ["MINISTACK_SSL_KEY"]
    door = HostDoor() if ministack.app.AUTH else FrontDoor(Path(os.environ["API_FILE"]))
    asyncio.run(serve(door, config))  # ends on SIGTERM, which saves the state


if __name__ == "__main__":
    main()
