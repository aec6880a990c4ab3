"""The invariant, looked at from outside once nothing is under way: table, bucket, queues, processes, temporary files.

Nothing of the product is asked here. What it wrote is read past it, and held against what must be true.
"""

import collections
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.faults.disturbed import Disturbed

_QUEUES = (
    "QueueUrl", "ExpressQueueUrl", "DeadLetterQueueUrl", "WebhookQueueUrl", "WebhookDeadLetterQueueUrl",
    "AnnouncerDeadLetterQueueUrl",
)  # fmt: skip
_COUNTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_ACTIVE = {"QUEUED", "RUNNING", "EXPANDED"}
_STATUSES = {"DONE": "done"} | dict.fromkeys(("FAILED", "CANCELLED", "EXPIRED"), "error")
_NOBODY = "download-" + 26 * "0"
_LOOK_S = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """`job_id` is empty where it is nobody's in particular."""

    job_id: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """What is in it: jobs by id with their fields, each tenant's counters by name, and the ids of tombstones to settle.

    A tombstone stands while a worker may live that was at work at the time. It is settled once nothing is left.
    """

    jobs: dict[str, dict[str, Any]]
    unsettled: list[str]
    counters: dict[str, collections.Counter[str]]


def read_table(disturbed: Disturbed) -> Table:
    jobs: dict[str, dict[str, Any]] = {}
    unsettled: list[str] = []
    counters: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    pages = disturbed.aws("dynamodb").get_paginator("scan").paginate(TableName=disturbed.table, ConsistentRead=True)
    for item in (item for page in pages for item in page["Items"]):
        partition, name = item["pk"]["S"], item["sk"]["S"]
        if partition == "DELETED":
            is_settled = float(item["due_at"]["N"]) >= float(item["final_at"]["N"])
            unsettled += [] if is_settled else [name]
        elif partition.endswith("#counts") and name.isdecimal():
            counters[partition.split("#")[1]].update(
                {word: int(value["N"]) for word, value in item.items() if "N" in value}
            )
        elif "job" in item and partition.startswith("TENANT#"):
            jobs[name] = json.loads(item["job"]["S"]) | {"tenant": partition.removeprefix("TENANT#")}
    return Table(jobs, unsettled, counters)


def come_to_rest(disturbed: Disturbed, *, within_s: float, say: Callable[[str], object] = lambda _: None) -> None:
    """Return once nothing is under way any more, or when the time is up: what is then will be a violation."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with ThreadPoolExecutor(2) as two:  # two sweepers at once are one of the faults
            list(two.map(lambda _: disturbed.sweep(), range(2)))
        left = list(_under_way(disturbed))
        if not left:
            break
        say(f"waiting for {len(left)}: {', '.join(sorted(left)[:6])}")
        time.sleep(_LOOK_S)
    _wake_all(disturbed, max(5.0, deadline - time.monotonic()))


def _under_way(disturbed: Disturbed) -> Iterator[str]:
    table = read_table(disturbed)
    yield from (f"tombstone {job_id}" for job_id in table.unsettled)
    for job_id, job in table.jobs.items():
        webhook = job.get("webhook", {}).get("state")
        if job["state"] in _ACTIVE or job.get("untidy") or webhook == "pending":
            yield f"{job['state']} {job_id}"
        if job.get("playlist", {}).get("unsettled"):
            yield f"items of {job_id}"
    yield from (f"messages in {name}" for name in _QUEUES if _messages(disturbed, name))


def _messages(disturbed: Disturbed, queue: str) -> int:
    reply = disturbed.aws("sqs").get_queue_attributes(QueueUrl=disturbed.outputs[queue], AttributeNames=list(_COUNTED))
    return sum(int(reply["Attributes"][name]) for name in _COUNTED)


def _wake_all(disturbed: Disturbed, within_s: float) -> None:
    """Give every worker something to do: as in Lambda, what a dead one left goes when the next one starts there."""
    deadline = time.monotonic() + within_s
    nothing = json.dumps({"version": 1, "tenant": "nobody", "job_id": _NOBODY, "generation": 1})
    while _left_by_workers(disturbed) and time.monotonic() < deadline:
        for queue in ("QueueUrl", "ExpressQueueUrl"):
            for _ in range(disturbed.workers_at_once):
                disturbed.send(nothing, queue)
        while any(_messages(disturbed, name) for name in _QUEUES) and time.monotonic() < deadline:
            time.sleep(0.5)


def _left_by_workers(disturbed: Disturbed) -> list[str]:
    processes = [f"process {pid} survived" for pid in disturbed.workers.fetchers()]
    return processes + [f"{path} was left" for path in disturbed.service.data.glob("work/*/*")]


def violations(disturbed: Disturbed) -> list[Violation]:
    """Everything that is not as it must be at rest."""
    table = read_table(disturbed)
    found = [*_of_jobs(disturbed, table), *_of_objects(disturbed, table), *_of_counters(table)]
    found += [Violation("", f"{count} messages in {name}") for name in _QUEUES if (count := _messages(disturbed, name))]
    return found + [Violation("", text) for text in _left_by_workers(disturbed)]


def _of_jobs(disturbed: Disturbed, table: Table) -> Iterator[Violation]:
    for job_id in table.unsettled:
        yield Violation(job_id, "what it left was not looked for")
    for job_id, job in table.jobs.items():
        if job["state"] in _ACTIVE or job.get("untidy"):
            yield Violation(job_id, f"it is {job['state']}, untidy: {job.get('untidy')}")
        if job["state"] == "DONE" and "stored" not in job and "playlist" not in job:
            yield Violation(job_id, "it is done and has no file")
        if job["state"] == "FAILED" and not (job.get("error") and job.get("error_code")):
            yield Violation(job_id, "it failed without a reason")
        if job["state"] != "DONE" and ("stored" in job or job.get("extras")):
            yield Violation(job_id, f"it is {job['state']} and has a file")
        for stored in _files(job):
            yield from _of_object(disturbed, job_id, stored)


def _of_object(disturbed: Disturbed, job_id: str, stored: dict[str, Any]) -> Iterator[Violation]:
    s3 = disturbed.aws("s3")
    try:
        body = s3.get_object(Bucket=disturbed.bucket, Key=stored["key"])["Body"].read()
    except s3.exceptions.NoSuchKey:
        yield Violation(job_id, f"its object {stored['key']} is not there")
        return
    if (len(body), hashlib.sha256(body).hexdigest()) != (stored["size"], stored["checksum_sha256"]):
        yield Violation(job_id, f"its object {stored['key']} is another one")


def _files(job: dict[str, Any]) -> list[dict[str, Any]]:
    return [*filter(None, [job.get("stored")]), *job.get("extras", [])]


def _of_objects(disturbed: Disturbed, table: Table) -> Iterator[Violation]:
    meant = {stored["key"] for job in table.jobs.values() for stored in _files(job)}
    s3 = disturbed.aws("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=disturbed.bucket):
        for key in {found["Key"] for found in page.get("Contents", [])} - meant:
            yield Violation(key.split("/")[1], f"the object {key} is nobody's")
    for upload in s3.list_multipart_uploads(Bucket=disturbed.bucket).get("Uploads", []):
        yield Violation(upload["Key"].split("/")[1], f"the upload of {upload['Key']} is open")


def _of_counters(table: Table) -> Iterator[Violation]:
    """What jobs are now is counted exactly. What a day has seen is no less, as jobs may have been deleted since."""
    now: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    today: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for job in table.jobs.values():
        now[job["tenant"]][_STATUSES.get(job["state"], "processing")] += 1
        today[job["tenant"]]["jobs"] += job["generation"]
        today[job["tenant"]]["bytes"] += sum(stored["size"] for stored in _files(job))
    for tenant in now | table.counters:
        counted = {word: count for word, count in table.counters[tenant].items() if count}
        is_now = {word: counted.get(word, 0) for word in (*set(_STATUSES.values()), "processing", "items")}
        if {word: count for word, count in is_now.items() if count} != dict(now[tenant]):
            yield Violation("", f"{tenant} has {dict(now[tenant])} and counts {is_now}")
        for what, least in today[tenant].items():
            seen = sum(count for word, count in counted.items() if word.startswith(f"{what}_"))
            if seen < least:
                yield Violation("", f"{tenant} has {least} {what}, and counts {seen} in its days")
