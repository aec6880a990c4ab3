"""The API's functions warm: what a call takes of our own, the reply of AWS's that it needs stubbed at the socket."""

import json
import os
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from botocore.awsrequest import AWSResponse

from create_download import handler as creating
from get_status import handler as status
from reelhaul import aws, items
from reelhaul.store import JobStore
from tests.benchmarks.listing import ENVIRONMENT, long_named, signer
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.stub import Raw
from tests.events import Context, HttpRequest

LIMIT_MS = 5.0
_CALLS = 200
_INSTALLED = {
    "TABLE_NAME": "jobs", "BUCKET_NAME": "media", "RETENTION_DAYS": "7",
    "QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/jobs",
    "EXPRESS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/000000000000/express",
}  # fmt: skip


def measure(bench: Bench) -> Iterator[Row]:
    os.environ |= ENVIRONMENT | _INSTALLED
    os.environ.pop("AWS_ENDPOINT_URL", None)
    job = long_named()
    replies = _Replies({"GetItem": {"Item": items.to_wire(items.to_item(job))}, "SendMessage": {"MessageId": "1"}})
    links = status.Dependencies(store=JobStore(aws.client("dynamodb"), "jobs"), links=signer(), hold_s=0.0)
    look = HttpRequest(method="GET", path=f"/download/{job.id}", tenant=job.tenant).event()
    ask = HttpRequest(method="POST", path="/download", body='{"stream_link": "https://m.example/a.mp4"}').event()
    with replies.connected("dynamodb", "sqs"), mock.patch.object(status, "dependencies", return_value=links):
        yield _row("GET /download/{id}, done", lambda: status.lambda_handler(look, _context()), replies, 200)
    creating.dependencies.cache_clear()
    creating.logger.setLevel("ERROR")
    with replies.connected("dynamodb", "sqs"):
        yield _row("POST /download", lambda: creating.lambda_handler(ask, _context()), replies, 200)
    creating.dependencies.cache_clear()


def _context() -> Any:
    return Context()


def _row(what: str, call: Callable[[], dict[str, Any]], replies: "_Replies", status_code: int) -> Row:
    reply = call()
    if reply["statusCode"] != status_code:
        raise RuntimeError(reply["body"][:300])
    times = []
    for _ in range(_CALLS):
        replies.cpu_s, started = 0.0, time.process_time()
        call()
        times.append(1e3 * (time.process_time() - started - replies.cpu_s))
    return Row(f"API warm: {what}, p50 of our own", statistics.median(times), "ms", "limit", LIMIT_MS)


class _Replies:
    """Answers each operation with what it is given for it, else with nothing."""

    def __init__(self, replies: dict[str, Any]) -> None:
        self._replies = replies
        self.cpu_s = 0.0

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        started = time.process_time()
        target = request.headers.get("X-Amz-Target", b"")
        name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        body = json.dumps(self._replies.get(name, {})).encode()
        headers = {"x-amz-crc32": str(zlib.crc32(body)), "content-type": "application/x-amz-json-1.0"}
        response = AWSResponse(request.url, 200, headers, Raw(body))  # type: ignore[arg-type]
        self.cpu_s += time.process_time() - started
        return response

    def connected(self, *services: str) -> Any:
        return _Connected(self, services)


class _Connected:
    def __init__(self, replies: _Replies, services: tuple[str, ...]) -> None:
        self._replies, self._services = replies, services

    def __enter__(self) -> None:
        for service in self._services:
            aws.client(service).meta.events.register(f"before-send.{service}", self._replies.answer)

    def __exit__(self, *_: object) -> None:
        for service in self._services:
            aws.client(service).meta.events.unregister(f"before-send.{service}", self._replies.answer)
