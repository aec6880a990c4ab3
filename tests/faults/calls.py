"""A call to AWS as it looks on its way: which operation, about which job, and which step of its life it writes."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_JOB = re.compile(r"download-[0-9a-z]{26}")
_OBJECTS = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
_UPLOADS = {
    "PUT": "UploadPart",
    "POST": "CompleteMultipartUpload",
    "DELETE": "AbortMultipartUpload",
    "GET": "ListParts",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """`caller` is the function that makes it, `job_id` the first job it names, if any.

    `write` is the step that it takes a job through, as (state that must be, state that becomes), ("", state) for a new
    one. `url` is the source of the job that is written.
    """

    caller: str
    operation: str
    job_id: str | None = None
    write: tuple[str, str] | None = None
    url: str | None = None

    @property
    def is_claim(self) -> bool:
        return self.write == ("QUEUED", "RUNNING")


def read(caller: str, method: str, path: str, headers: Mapping[str, str] | Message, body: bytes) -> Call:
    """The call that an HTTP request for DynamoDB, SQS or S3 makes."""
    named = headers.get("X-Amz-Target", "")
    if not named:
        return _storage_call(caller, method, path)
    text = body.decode(errors="replace")
    operation = named.rpartition(".")[2]
    found = _JOB.search(text)
    job_id = found[0] if found else None
    if named.startswith("DynamoDB"):
        for put in _puts(operation, json.loads(text)):
            item = put["Item"]
            if "state" in item:
                was = put.get("ExpressionAttributeValues", {}).get(":state", {}).get("S", "")
                write = (was, item["state"]["S"])
                return Call(caller, operation, item["sk"]["S"], write, json.loads(item["job"]["S"])["url"])
    return Call(caller, operation, job_id)


def _storage_call(caller: str, method: str, path: str) -> Call:
    parts = urlsplit(path)
    query = parse_qs(parts.query, keep_blank_values=True)
    found = _JOB.search(unquote(path))
    job_id = found[0] if found else None
    if "uploadId" in query:
        return Call(caller, _UPLOADS[method], job_id)
    if "uploads" in query:
        return Call(caller, "CreateMultipartUpload" if method == "POST" else "ListMultipartUploads", job_id)
    if "list-type" in query:
        return Call(caller, "ListObjectsV2", job_id)
    return Call(caller, _OBJECTS.get(method, method), job_id)


def _puts(operation: str, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if operation == "PutItem":
        yield request
    for member in request.get("TransactItems", []) if operation == "TransactWriteItems" else []:
        if "Put" in member:
            yield member["Put"]
