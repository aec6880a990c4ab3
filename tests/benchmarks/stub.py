"""AWS stubbed at the socket: the SDK writes its requests and reads these replies, nothing is sent anywhere.

The table is as quick as DynamoDB is in theory: to find a place in it takes a binary search, to read on from there the
items that are read. What it takes is measured apart, so that it can be subtracted.
"""

import bisect
import json
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse

from reelhaul import aws, items
from reelhaul.jobs import Job

_PAGE_BYTES = 1024 * 1024  # DynamoDB: a query reads 1 MB at most
_ID = "@the id@"


class Table:
    """Answers the listing's queries: one tenant with copies of `job`, as many as it has `ids`, which sort by age."""

    def __init__(self, job: Job, ids: list[str]) -> None:
        wire = items.to_wire(items.to_item(job) | {"sk": _ID})
        self._before, self._after = json.dumps(wire).encode().split(_ID.encode())
        self._ids = sorted(ids)
        self._partition = items.partition(job.tenant)
        self._counts = {"pk": items.counts_partition(job.tenant), "sk": "0", items.STATUSES[job.state]: len(ids)}
        self.requests = 0
        self.items_read = 0
        self.cpu_s = 0.0

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        started = time.process_time()
        body = self._query(json.loads(request.body))
        self.requests += 1
        headers = {"x-amz-crc32": str(zlib.crc32(body)), "content-type": "application/x-amz-json-1.0"}
        response = AWSResponse(request.url, 200, headers, Raw(body))  # type: ignore[arg-type]
        self.cpu_s += time.process_time() - started
        return response

    def _query(self, query: dict[str, Any]) -> bytes:
        values = [next(iter(typed.values())) for typed in query["ExpressionAttributeValues"].values()]
        if values == [self._counts["pk"]]:
            self.items_read += 1
            return _reply([json.dumps(items.to_wire(self._counts)).encode()], None)
        before = query.get("ExclusiveStartKey", {}).get("sk", {}).get("S") or next(iter(values[1:]), None)
        end = len(self._ids) if before is None else bisect.bisect_left(self._ids, before)
        size = len(self._before) + len(self._after) + len(self._ids[0])
        start = max(0, end - min(query["Limit"], _PAGE_BYTES // size))
        found = self._ids[start:end][::-1]
        self.items_read += len(found)
        last = json.dumps(items.to_wire({"pk": self._partition, "sk": found[-1]})) if start > 0 and found else None
        return _reply([b"".join((self._before, job_id.encode(), self._after)) for job_id in found], last)


class Raw:
    """What botocore takes for a response of urllib3."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def _reply(found: list[bytes], last_key: str | None) -> bytes:
    end = "" if last_key is None else f',"LastEvaluatedKey":{last_key}'
    return b'{"Items":[%b],"Count":%d,"ScannedCount":%d%b}' % (b",".join(found), len(found), len(found), end.encode())


class Secret:
    """Stands for Secrets Manager's client, which is asked once in five minutes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": self._text}


@contextmanager
def connected(table: Table) -> Iterator[Table]:
    """What is sent to DynamoDB goes to `table`."""
    events = aws.client("dynamodb").meta.events
    events.register("before-send.dynamodb", table.answer)
    try:
        yield table
    finally:
        events.unregister("before-send.dynamodb", table.answer)
