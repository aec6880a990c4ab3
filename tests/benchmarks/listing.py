"""How fast lists are. Times are CPU time, each the best of several: what else the machine is doing counts little."""

import dataclasses
import functools
import json
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest import mock

import boto3

from list_downloads import handler, listing
from reelhaul import aws, ids, items
from reelhaul.contracts.downloads import Listing
from reelhaul.jobs import Job
from reelhaul.links import LINK_SECONDS, AccessKey, S3Links
from reelhaul.store import JobStore, Page
from reelhaul.tokens import make_token, token_key
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.stub import Secret, Table, connected
from tests.events import Context, HttpRequest
from tests.jobs_in import MEDIA, done

COUNT, DEEP = 5_000, 100_000
RUNS = 5
TENANT = "acme"
KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
REPLY_BYTES = 6 * 1024 * 1024
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_LOG_LEVEL": "ERROR",
}  # fmt: skip


def measure(bench: Bench) -> Iterator[Row]:
    os.environ |= ENVIRONMENT
    os.environ.pop("AWS_ENDPOINT_URL", None)
    for part in (own_time, whole_handler, one_link, depth):
        yield from part()


def own_time() -> Iterable[Row]:
    """From the table's items in hand to the text of the reply's body."""
    job = long_named()
    found = [items.to_wire(items.to_item(dataclasses.replace(job, id=job_id))) for job_id in new_ids(COUNT)]
    store: Any = InHand(found)
    links = signer()

    def run() -> str:
        return listing.listed(TENANT, Listing(count=COUNT), store=store, links=links, now=time.time())[0]

    yield Row(f"GET /download?count={COUNT}, all done: our own time", best(run), "s", "limit", 0.5)
    reading = best(lambda: [items.from_item(items.from_wire(item)) for item in found])
    yield Row("  of which items to jobs", reading, "s", "limit", 0.5)


@dataclasses.dataclass(frozen=True)
class InHand:
    """A store that has already received its items."""

    found: list[items.Wire]

    def total(self, *_: Any, **__: Any) -> int:
        return len(self.found)

    def page(self, *_: Any, **__: Any) -> Page:
        return Page([items.from_item(items.from_wire(item)) for item in self.found], None)


def whole_handler() -> Iterable[Row]:
    """The event to the Lambda function's answer, boto3 included, the table's own time subtracted."""
    with connected(Table(long_named(), new_ids(COUNT))) as table, wired():

        def run() -> dict[str, Any]:
            return get({"count": str(COUNT)})

        times = []
        for _ in range(RUNS):
            table.cpu_s, started = 0.0, time.process_time()
            reply = run()
            times.append(time.process_time() - started - table.cpu_s)
    shown = len(json.loads(reply["body"])["data"]["downloads"])
    yield Row(f"  the whole function, boto3 included ({shown} rows)", min(times), "s", "limit", 0.5)
    yield Row("  its reply, as Lambda counts it", len(json.dumps(reply)) / 1e6, "MB", "limit", REPLY_BYTES / 1e6)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Row("  peak memory of this process, all of the above in it", peak_mb, "MB", "the function's", 512)


def one_link() -> Iterable[Row]:
    keys = [f"{'t' * 40}/{job_id}/12.mp4" for job_id in new_ids(1000)]
    links = signer()
    client = boto3.client("s3", aws_access_key_id=KEY.id, aws_secret_access_key=KEY.secret, config=aws.S3_CONFIG)

    def botocores(key: str) -> str:
        url: str = client.generate_presigned_url(
            "get_object", Params={"Bucket": "media", "Key": key}, ExpiresIn=LINK_SECONDS
        )
        return url

    ours = best(lambda: [links.sign(key) for key in keys]) / len(keys)
    theirs = best(lambda: [botocores(key) for key in keys]) / len(keys)
    yield Row("a presigned link", ours * 1e6, "us", "botocore's presigner", theirs * 1e6)


def depth() -> Iterable[Row]:
    """The first page of 50 against the last one, which its token leads to."""
    everything = new_ids(DEEP)
    token = make_token(token_key(KEY.secret), tenant=TENANT, status=None, after=everything[50])
    queries = [{"count": "50"}, {"count": "50", "next_token": token}]
    with connected(Table(long_named(), everything)) as table, wired():
        reads = [page_reads(table, query) for query in queries]
        # In turns: what else the machine does in between then strikes both alike.
        times = [[cpu_s(functools.partial(get, query)) for query in queries] for _ in range(40 * RUNS)]
    least_ms = [min(of_one) * 1e3 for of_one in zip(*times, strict=True)]
    for unit, (first, last) in zip(("reads", "items", "ms"), (*zip(*reads, strict=True), least_ms), strict=True):
        yield Row(f"last page of {DEEP:,} jobs by token, {unit}", last, unit, "the first page", first, 1.2)


def page_reads(table: Table, query: dict[str, str]) -> tuple[int, int]:
    """Requests to the table, and items read there."""
    table.requests = table.items_read = 0
    reply = get(query)
    if reply["statusCode"] != 200 or len(json.loads(reply["body"])["data"]["downloads"]) != 50:
        raise RuntimeError(reply["body"][:500])
    return table.requests, table.items_read


# --- what is measured ------------------------------------------------------------------------------------------------


def best(run: Callable[[], object]) -> float:
    """The least CPU time of several runs, in seconds."""
    return min(cpu_s(run) for _ in range(RUNS))


def cpu_s(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def new_ids(number: int) -> list[str]:
    """In ascending order, so the oldest one first."""
    now = time.time() - 86_400
    return [ids.new_id(now + each / 100) for each in range(number)]


def long_named() -> Job:
    return done(tenant=TENANT, now=time.time(), name="n" * 200, media=dataclasses.replace(MEDIA, title="t" * 300))


def signer() -> S3Links:
    return S3Links(Secret(KEY.to_secret()), "arn", "media")


def wired() -> Any:
    made = handler.Dependencies(store=JobStore(aws.client("dynamodb"), "jobs"), links=signer())
    return mock.patch.object(handler, "dependencies", return_value=made)


def get(query: dict[str, str]) -> dict[str, Any]:
    event = HttpRequest(method="GET", path="/download", query=query, tenant=TENANT).event()
    context: Any = Context()
    return handler.lambda_handler(event, context)
