"""The embedded engine's process: ministack behind one door. Runs in the engine's own environment, not in ours.

On one port live two things. A request that is signed for AWS (or ministack's own health check) goes to the emulated
services; every other is one for the service's HTTP API, whose address on AWS is a host name of its own. Nothing else of
ministack's can be reached, such as its reset, which asks for no signature.
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
from ministack.services.cloudformation import provisioners

_NOT_YET = b'{"success":false,"message":"Not deployed yet.","detail":"Not deployed yet.","code":"service.unavailable"}'


def _is_for_aws(scope: dict[str, Any]) -> bool:
    if scope["path"] == "/_ministack/health":
        return True
    headers = dict(scope["headers"])
    if headers.get(b"authorization", b"").startswith(b"AWS4-"):
        # No web page signs for AWS on its own. One that tries from elsewhere must not reach what is on this machine.
        return b"origin" not in headers
    signed = parse_qs(scope["query_string"].decode("latin-1"))
    # A presigned link, which the engine verifies. It verifies those for S3 only, so no others get in.
    return "/s3/aws4_request" in "".join(signed.get("X-Amz-Credential", [])) and "X-Amz-Signature" in signed


class FrontDoor:
    """The ASGI application. `api_file` holds the API's id as soon as there is one."""

    def __init__(self, api_file: Path) -> None:
        self._api_file = api_file
        self._prefix: str | None = None
        # The engine starts a Python for each call that runs beside another. Too many at once would all be too late.
        self._quick, self._waiting = asyncio.Semaphore(6), asyncio.Semaphore(32)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not _is_for_aws(scope):
            prefix = self._known_prefix()
            if prefix is None:
                await _refuse(send)
                return
            room = self._waiting if scope["path"].startswith("/async-response/") else self._quick
            async with room:
                await ministack.app.app(self._for_api(scope, prefix), receive, send)
            return
        await ministack.app.app(scope, receive, send)

    def _known_prefix(self) -> str | None:
        if self._prefix is None and self._api_file.exists():
            self._prefix = f"/_aws/execute-api/{self._api_file.read_text().strip()}/$default"
        return self._prefix

    def _for_api(self, scope: dict[str, Any], prefix: str) -> dict[str, Any]:
        """The request as API Gateway's own door passes it on: it says itself how the client came in."""
        set_by_us = {b"x-forwarded-proto", b"x-forwarded-port"}
        headers = [(name, value) for name, value in scope["headers"] if name not in set_by_us]
        return scope | {
            "path": prefix + scope["path"],
            "raw_path": prefix.encode() + scope["raw_path"],
            "headers": [*headers, (b"x-forwarded-proto", b"http")],
        }


async def _refuse(send: Any) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _NOT_YET})


def _accept_rotation_schedules() -> None:
    """The engine does not know this type of resource, and rotates nothing by itself; `service.py` has the key made."""
    handler = {
        "create": lambda logical_id, properties, _stack: (f"{properties['SecretId']}-{logical_id}", {}),
        "delete": lambda _physical_id, _properties: None,
    }
    provisioners._RESOURCE_HANDLERS.setdefault("AWS::SecretsManager::RotationSchedule", handler)  # noqa: SLF001


def main() -> None:
    _accept_rotation_schedules()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    config = Config()
    config.bind = [f"127.0.0.1:{os.environ['LISTEN_PORT']}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ["LOG_LEVEL"]
    asyncio.run(serve(FrontDoor(Path(os.environ["API_FILE"])), config))  # ends on SIGTERM, which saves the state


if __name__ == "__main__":
    main()
