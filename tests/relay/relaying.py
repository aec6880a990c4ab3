"""Downloads that take several invocations: sources that end each of them, and the handler, called as Lambda does."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest

from downloader import handler
from reelhaul import aws
from reelhaul.jobs import Job, State
from reelhaul.objects import MediaBucket
from sweeper.sweep import Sweeper
from tests.conftest import Cloud
from tests.events import Context
from tests.integration.streaming import PATIENCE_S, small_parts
from tests.media import SourceHandler, SourceServer
from tests.relay.clock import Clock

INVOCATION_MS = 120_000  # where the source does not say that it is over
PATH = "large/front.mp4"
_SEGMENTS = {".ts", ".m4s", ".mp3"}
_POLL_S = 0.1
_MOST_INVOCATIONS = 12  # on a machine that is busy some get little done

Handle = Callable[[Job], Job]


class Timed(SourceServer):
    """Says on the `clock` when an invocation's time is up."""

    clock: Clock


class _Handler(SourceHandler):
    server: "ShortBreathed"

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        """So many bytes for each connection, and then nothing any more."""
        now = min(count, self.server.breath_bytes)
        self.server.asked.append((file.tell(), count))
        with contextlib.suppress(OSError):
            super().send_bytes(file, now)
            self.wfile.flush()
        self.server.clock.given()
        if now < count:
            self.server.clock.wait(self.server.is_over, patience_s=PATIENCE_S)
            self.close_connection = True

    def end_headers(self) -> None:
        if urlsplit(self.path).path == f"/{PATH}":
            for name, value in self.server.marks.items():
                self.send_header(name, value)
        super().end_headers()

    def _range(self, size: int) -> tuple[int, int, int]:
        return (0, size - 1, 200) if self.server.ignores_ranges else super()._range(size)


class ShortBreathed(Timed):
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


class RationedHandler(_Handler):
    server: "Rationed"

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        if Path(urlsplit(self.path).path).suffix not in _SEGMENTS:
            super().send_bytes(file, count)
        elif self.server.takes_one():
            self.server.asked.append((file.tell(), count))
            SourceHandler.send_bytes(self, file, count)
            self.server.clock.given()
        else:
            self.close_connection = True


class Rationed(ShortBreathed):
    """Of files short-breathed, and of segments only so many come, until there are more again."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = RationedHandler
        self._changed = threading.Condition()
        self._era = self._left = 0

    def give(self, segments: int) -> None:
        """So many more from now on. Whoever is waiting gets none of them."""
        with self._changed:
            self._era, self._left = self._era + 1, segments
            self._changed.notify_all()

    def takes_one(self) -> bool:
        with self._changed:
            if self._left:
                self._left -= 1
                return True
            era, until, invocation = self._era, time.monotonic() + PATIENCE_S, self.clock.invocation
            while not self._changed.wait_for(lambda: self._era != era, _POLL_S) and time.monotonic() < until:
                self.clock.nothing_more(invocation)
            return False


@contextlib.contextmanager
def installed(source: Timed, work_directory: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The downloader's settings, with parts that tests can wait for, and the `clock` of its fetchers."""
    monkeypatch.setenv("SOURCE_CONNECTIONS", "1")  # what comes in one go is counted; a busy machine is slow, too
    source.clock = clock
    clock.install(monkeypatch)
    with small_parts(source.origin, work_directory, monkeypatch):
        yield


def invocation(cloud: Cloud, job: Job, *, remaining_ms: int = INVOCATION_MS) -> Job:
    """The next invocation for the job, with the message that is in the queue."""
    Clock.installed.start()
    message = aws.client("sqs").receive_message(QueueUrl=cloud.queue_url, VisibilityTimeout=900, WaitTimeSeconds=15)[
        "Messages"
    ][0]
    name = cloud.queue_url.rpartition("/")[2]
    record = {
        "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{name}",
    }  # fmt: skip
    handler.lambda_handler({"Records": [record]}, Context(remaining_ms=remaining_ms))
    aws.client("sqs").delete_message(QueueUrl=cloud.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return cloud.store.get(job.tenant, job.id)


def ended(job: Job, invoke: Handle) -> Job:
    """However many invocations that takes, on a machine that is busy."""
    seen = invoke(job)
    for _ in range(_MOST_INVOCATIONS):
        if seen.state is State.QUEUED:
            seen = invoke(job)
    return seen


def stored(cloud: Cloud, job: Job) -> bytes:
    assert job.state is State.DONE, job
    assert job.stored is not None
    body: bytes = aws.client("s3").get_object(Bucket=cloud.bucket, Key=job.stored.key)["Body"].read()
    assert (len(body), hashlib.sha256(body).hexdigest()) == (job.stored.size, job.stored.checksum_sha256)
    return body


def swept(cloud: Cloud) -> None:
    """The sweeper comes by, a minute later."""
    sweeper = Sweeper(
        store=cloud.store, queue=cloud.queue, bucket=MediaBucket(aws.client("s3"), cloud.bucket),
        announce=lambda _: None, logger=handler.logger, clock=lambda: time.time() + 60,
    )  # fmt: skip
    sweeper.run(has_time=lambda: True)
