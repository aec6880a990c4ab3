"""Events as AWS sends them, and what a function is told about its invocation."""

import base64
import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

HOST = "abc123.execute-api.eu-central-1.amazonaws.com"


class Context:
    """Stands for Lambda's context object."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"

    def __init__(self, *, remaining_ms: int = 30_000) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


@dataclasses.dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request as the HTTP API's payload format 2.0 hands it on. `tenant` is what the authorizer said, unless
    with `unavailable` it could not tell.

    `query` may have a parameter several times, as pairs. A header that is `None` is not sent.
    """

    method: str
    path: str
    body: str | bytes | None = None
    query: dict[str, str] | list[tuple[str, str]] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    tenant: str | None = "acme"
    unavailable: bool = False
    said: Mapping[str, object] = dataclasses.field(default_factory=dict)  # what else the authorizer said
    route: str | None = None  # of the template, where it is not the path itself
    stage: str = "$default"

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": self.route or f"{self.method} {self.path}",
            "rawPath": self.path if self.stage == "$default" else f"/{self.stage}{self.path}",
            "rawQueryString": urlencode(self.query),
            "headers": self._headers(),
            "requestContext": self._context(),
            "isBase64Encoded": isinstance(self.body, bytes),
        }
        if self.query:
            event["queryStringParameters"] = self._joined_query()
        if self.body is not None:
            is_bytes = isinstance(self.body, bytes)
            event["body"] = base64.b64encode(self.body).decode() if is_bytes else self.body  # type: ignore[arg-type]
        return event

    def _headers(self) -> dict[str, str]:
        usual = {"host": HOST, "x-forwarded-proto": "https", "content-type": "application/json"}
        return {name: value for name, value in {**usual, **self.headers}.items() if value is not None}

    def _joined_query(self) -> dict[str, str]:
        joined: dict[str, str] = {}
        for name, value in self.query.items() if isinstance(self.query, dict) else self.query:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return joined

    def authorizer_event(self) -> dict[str, Any]:
        event = self.event() | {"type": "REQUEST", "identitySource": None}
        del event["requestContext"]["authorizer"]
        return event

    def _context(self) -> dict[str, Any]:
        said = {} if self.tenant is None else {"tenant": self.tenant, "key_id": "key-1", **self.said}
        if self.unavailable:
            said = {"tenant": "", "unavailable": "true"}
        return {
            "accountId": "123456789012",
            "apiId": "abc123",
            "authorizer": {"lambda": said},
            "domainName": HOST,
            "http": {
                "method": self.method,
                "path": self.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "curl/8",
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": self.route or f"{self.method} {self.path}",
            "stage": self.stage,
            "time": "22/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1_795_305_600_000,
        }


def sqs_event(*bodies: str) -> dict[str, Any]:
    records = [
        {
            "messageId": f"message-{number}",
            "receiptHandle": f"receipt-{number}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795305600000"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:work",
            "awsRegion": "eu-central-1",
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}
