"""A download that takes longer than an invocation: one handler after the other, with real fetchers, on moto."""

import contextlib
import dataclasses
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest

from downloader import handler, transfer
from reelhaul import aws, steps
from reelhaul.jobs import Job, State
from reelhaul.objects import MediaBucket
from sweeper.sweep import Sweeper
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import hooked
from tests.integration.streaming import PART_BYTES, PATIENCE_S, make_large
from tests.jobs_in import queued
from tests.media import SourceHandler, SourceServer

INVOCATION_MS = 12_000
PATH = "large/front.mp4"

Handle = Callable[[Job], Job]


class _Handler(SourceHandler):
    server: "ShortBreathed"

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        """So many bytes for each connection, and then nothing any more."""
        now = min(count, self.server.breath_bytes)
        self.server.asked.append((file.tell(), count))
        with contextlib.suppress(OSError):
            super().send_bytes(file, now)
            self.wfile.flush()
        if now < count:
            self.server.is_over.wait(PATIENCE_S)
            self.close_connection = True

    def end_headers(self) -> None:
        if urlsplit(self.path).path == f"/{PATH}":
            for name, value in self.server.marks.items():
                self.send_header(name, value)
        super().end_headers()

    def _range(self, size: int) -> tuple[int, int, int]:
        return (0, size - 1, 200) if self.server.ignores_ranges else super()._range(size)


class ShortBreathed(SourceServer):
    """Of each file `breath_bytes` come, from wherever they are asked for. `asked`: each first byte, and how many."""

    breath_bytes = 0
    ignores_ranges = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.marks = {"ETag": '"one"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        self.asked: list[tuple[int, int]] = []
        self.is_over = threading.Event()

    @property
    def whole(self) -> bytes:
        return (self.directory / PATH).read_bytes()


@pytest.fixture
def source(media: Path) -> Iterator[ShortBreathed]:
    make_large(media)
    with ShortBreathed(media) as server:
        server.breath_bytes = len(server.whole) * 3 // 10
        yield server
        server.is_over.set()


@pytest.fixture(autouse=True)
def _installed(cloud: Cloud, source: ShortBreathed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def mend(
        parsed: dict[str, Any], **_: Any
    ) -> None:  # S3 shows the checksum of parts with their number, moto without
        number = parsed.get("ETag", "").strip('"').partition("-")[2]
        if number:
            parsed["ChecksumSHA256"] += f"-{number}"

    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ALLOWED_ORIGINS", source.origin)
    monkeypatch.setattr(transfer, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    handler.dependencies.cache_clear()
    with hooked("after-call", "s3", "HeadObject", mend):
        yield


@pytest.fixture
def job(cloud: Cloud, source: ShortBreathed) -> Job:
    job = queued(url=source.url(PATH), now=time.time())
    cloud.store.create(job)
    cloud.queue.send(job)
    return job


@pytest.fixture
def invoke(cloud: Cloud) -> Callable[[Job], Job]:
    """The next invocation for the job, with the message that is in the queue."""

    def invoke(job: Job) -> Job:
        message = aws.client("sqs").receive_message(
            QueueUrl=cloud.queue_url, VisibilityTimeout=900, WaitTimeSeconds=15
        )["Messages"][0]
        name = cloud.queue_url.rpartition("/")[2]
        record = {
            "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{name}",
        }  # fmt: skip
        handler.lambda_handler({"Records": [record]}, Context(remaining_ms=INVOCATION_MS))
        aws.client("sqs").delete_message(QueueUrl=cloud.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return cloud.store.get(job.tenant, job.id)

    return invoke


def ended(job: Job, invoke: Handle) -> Job:
    """However many invocations that takes, on a machine that is busy."""
    seen = invoke(job)
    for _ in range(6):
        if seen.state is State.QUEUED:
            seen = invoke(job)
    return seen


def stored(cloud: Cloud, job: Job) -> bytes:
    assert job.state is State.DONE, job
    assert job.stored is not None
    body: bytes = aws.client("s3").get_object(Bucket=cloud.bucket, Key=job.stored.key)["Body"].read()
    assert (len(body), hashlib.sha256(body).hexdigest()) == (job.stored.size, job.stored.checksum_sha256)
    return body


def test_four_invocations_make_one_file(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle, tmp_path: Path
) -> None:
    came = [0]
    for _ in range(3):
        waiting = invoke(job)
        assert (waiting.state, waiting.attempts, waiting.generation) == (State.QUEUED, 0, 1), waiting
        assert waiting.checkpoint is not None
        assert not list(tmp_path.iterdir())
        came.append(waiting.checkpoint.bytes)
    done = invoke(job)

    assert stored(cloud, done) == source.whole
    assert (done.attempts, done.checkpoint, done.untidy) == (1, None, True)
    again = [first for first, count in source.asked if first + count == len(source.whole) and first]
    assert again == came[1:]  # from where the bytes stopped
    lost = sum(source.breath_bytes * number - so_far for number, so_far in enumerate(came))
    assert lost / 6 < len(source.whole) * 0.05  # what had come and was not used, of all invocations


def test_what_was_handed_over_is_removed_in_the_end(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle
) -> None:
    assert invoke(job).checkpoint is not None
    source.breath_bytes = len(source.whole)
    done = ended(job, invoke)
    assert done.stored is not None
    sweeper = Sweeper(
        store=cloud.store, queue=cloud.queue, bucket=MediaBucket(aws.client("s3"), cloud.bucket),
        announce=lambda _: None, logger=handler.logger, clock=lambda: time.time() + 60,
    )  # fmt: skip

    sweeper.run(has_time=lambda: True)

    assert cloud.object_keys() == [done.stored.key]
    assert not aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads", [])


@pytest.mark.parametrize("changed", [{"ETag": '"two"'}, {"ETag": "", "Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}])
def test_file_that_has_changed_is_fetched_anew(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle, changed: dict[str, str]
) -> None:
    assert invoke(job).checkpoint is not None
    source.marks |= changed

    refused = invoke(job)

    assert (refused.state, refused.attempts, refused.checkpoint) == (State.QUEUED, 1, None)
    source.breath_bytes = len(source.whole)
    assert stored(cloud, ended(job, invoke)) == source.whole


def test_file_that_changes_again_and_again_has_an_error_of_its_own(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle
) -> None:
    cloud.store.change(job.tenant, job.id, lambda seen: dataclasses.replace(seen, attempts=2))
    assert invoke(job).checkpoint is not None
    source.marks["ETag"] = '"two"'

    failed = invoke(job)

    assert (failed.state, failed.error_code, failed.checkpoint) == (State.FAILED, "source.changed", None)
    assert failed.untidy


def test_source_that_ignores_ranges_is_too_slow(source: ShortBreathed, job: Job, invoke: Handle) -> None:
    assert invoke(job).checkpoint is not None
    source.ignores_ranges = True

    failed = invoke(job)

    assert (failed.state, failed.error_code) == (State.FAILED, "source.too_slow")


def test_cancel_while_it_waits_leaves_it_to_be_removed(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle
) -> None:
    assert invoke(job).checkpoint is not None

    cancelled = cloud.store.change(job.tenant, job.id, lambda seen: steps.cancel(seen, now=time.time()))

    assert (cancelled.checkpoint, cancelled.untidy) == (None, True)
    assert invoke(job).state is State.CANCELLED
