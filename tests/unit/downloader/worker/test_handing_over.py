"""A job that is handed over, on moto, and what may happen meanwhile. Only the fetch is made up."""

import contextlib
import dataclasses
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.response import StreamingBody

from downloader import transfer
from downloader.events import Source
from downloader.fetch import Fetched, Found, Paused
from downloader.outlet import Outlet
from downloader.worker import Worker
from reelhaul import aws, steps
from reelhaul.errors import SourceInterrupted
from reelhaul.jobs import Job, State
from reelhaul.objects import MediaBucket
from sweeper.sweep import Sweeper
from tests.conftest import Cloud
from tests.faults import connection_lost, hooked, meanwhile, refused, reply_lost
from tests.unit.downloader.worker.working import MEDIA, made, now_in, run

PIECES = (b"the first piece of it, " * 100, b"and the second, " * 100, b"and the last" * 100)
WHOLE = b"".join(PIECES)
LEASE_OVER_S = 120.0


class Died(BaseException):
    """The process was killed."""


@dataclasses.dataclass
class Relaying:
    """Stands for the fetcher: brings one piece at a time, of what `grows` or of what lies in files."""

    grows: bool
    numbers: list[int] = dataclasses.field(default_factory=list)

    def __call__(self, job: Job, *, directory: Path, outlet: Outlet, **_: Any) -> Found:
        resume = outlet.resume
        number = resume.tracks[0].place if resume else 0
        name = (resume.name or resume.files[0]) if resume else "media.mp4.part"
        path = directory / name
        if resume and not self.grows:
            assert path.read_bytes() == b"".join(PIECES[:number])
        with path.open("ab") as file:
            file.write(PIECES[number])
        self.numbers.append(number)
        size = path.stat().st_size
        if self.grows:
            outlet.begin(path, MEDIA)
            outlet.extend(size)
        if number + 1 == len(PIECES):
            return Fetched(path=path, media=MEDIA)
        source = Source(format_id="0", total_bytes=None, etag=None, last_modified=None, place=number + 1)
        return Paused(size if self.grows else 0, (source,), () if self.grows else (name,))


@pytest.fixture(autouse=True)
def _parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PART_BYTES", 1000)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)


@pytest.fixture(params=[True, False], ids=["grows", "in files"])
def relaying(request: pytest.FixtureRequest) -> Relaying:
    return Relaying(grows=request.param)


@pytest.fixture
def hire(cloud: Cloud, relaying: Relaying, tmp_path: Path) -> Callable[[], Worker]:
    def hire() -> Worker:
        return made(cloud, relaying, tmp_path)

    return hire


def swept(cloud: Cloud, *, after_s: float) -> None:
    Sweeper(
        store=cloud.store, queue=cloud.queue, bucket=MediaBucket(aws.client("s3"), cloud.bucket),
        announce=lambda _: None, logger=_Silent(), clock=lambda: time.time() + after_s,
    ).run(has_time=lambda: True)  # fmt: skip


class _Silent:
    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def ends_well(cloud: Cloud, job: Job, hire: Callable[[], Worker]) -> Job:
    """The job ends with the whole file and nothing else, however often it has to be taken up."""
    for _ in range(12):
        swept(cloud, after_s=LEASE_OVER_S)
        if now_in(cloud, job).state is State.QUEUED:
            run(hire(), now_in(cloud, job))
    done = now_in(cloud, job)
    assert done.state is State.DONE
    assert done.stored is not None
    assert aws.client("s3").get_object(Bucket=cloud.bucket, Key=done.stored.key)["Body"].read() == WHOLE
    for _ in range(3):  # who was cut off might still write, and is waited for
        swept(cloud, after_s=7200.0)
    assert cloud.object_keys() == [done.stored.key]
    assert not aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads")
    return done


@pytest.fixture(autouse=True)
def _as_s3_shows_it(cloud: Cloud) -> Any:
    def mend(parsed: dict[str, Any], **_: Any) -> None:
        number = parsed.get("ETag", "").strip('"').partition("-")[2]
        if number:
            parsed["ChecksumSHA256"] += f"-{number}"

    with hooked("after-call", "s3", "HeadObject", mend):
        yield


def test_each_worker_goes_on_where_the_one_before_stopped(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], relaying: Relaying
) -> None:
    for number in range(len(PIECES) - 1):
        run(hire(), job)
        waiting = now_in(cloud, job)
        assert (waiting.state, waiting.attempts) == (State.QUEUED, 0)
        assert waiting.checkpoint is not None
        assert waiting.checkpoint.place == number + 1
    done = ends_well(cloud, job, hire)
    assert (done.attempts, relaying.numbers) == (1, [0, 1, 2])


@pytest.mark.parametrize("when", ["before-call", "after-call"])
@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("s3", "PutObject"), ("s3", "UploadPart"), ("s3", "CompleteMultipartUpload"),
        ("dynamodb", "PutItem"), ("sqs", "SendMessage"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("nth", [1, 2])
def test_worker_that_dies_at_a_write_of_the_hand_over(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], when: str, service: str, operation: str, nth: int
) -> None:
    run(hire(), job)
    calls: list[str] = []

    def die(**_: Any) -> None:
        calls.append(operation)
        if len(calls) == nth:
            raise Died

    with hooked(when, service, operation, die), contextlib.suppress(Died):
        run(hire(), job)

    ends_well(cloud, job, hire)


@pytest.mark.parametrize(("service", "operation"), [("s3", "PutObject"), ("dynamodb", "PutItem")])
@pytest.mark.parametrize("fault", [refused, reply_lost])
def test_fault_at_a_write_of_the_hand_over(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], fault: Any, service: str, operation: str
) -> None:
    run(hire(), job)
    worker = hire()

    failing = fault(service, operation)
    with meanwhile("s3", "GetObject", failing.__enter__):  # it has claimed the job by then
        run(worker, job)
    failing.__exit__(None, None, None)

    ends_well(cloud, job, hire)


def test_worker_that_wakes_up_after_the_job_was_handed_over_changes_nothing(
    cloud: Cloud, job: Job, hire: Callable[[], Worker]
) -> None:
    """It is taken for dead while it hands over; by then others have come to the end."""
    run(hire(), job)

    def others() -> None:
        swept(cloud, after_s=LEASE_OVER_S)
        for _ in range(len(PIECES) - 1):
            run(hire(), now_in(cloud, job))

    with meanwhile("s3", "PutObject", others):
        run(hire(), job)

    ends_well(cloud, job, hire)


def test_worker_that_wakes_up_while_another_is_at_it_changes_nothing(
    cloud: Cloud, job: Job, hire: Callable[[], Worker]
) -> None:
    run(hire(), job)
    run(hire(), job)  # what is left is the end

    def another() -> None:
        swept(cloud, after_s=LEASE_OVER_S)
        run(hire(), now_in(cloud, job))

    with meanwhile("s3", "HeadObject", another):
        run(hire(), job)

    ends_well(cloud, job, hire)


def test_attempt_that_fails_goes_on_from_the_checkpoint(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], relaying: Relaying, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(hire(), job)

    def interrupted(*_: object, **__: object) -> Found:
        raise SourceInterrupted

    with monkeypatch.context() as patch:
        patch.setattr(Relaying, "__call__", interrupted)
        run(hire(), job)

    assert now_in(cloud, job).attempts == 1
    ends_well(cloud, job, hire)
    assert relaying.numbers == [0, 1, 2]


@pytest.mark.parametrize("operation", ["UploadPart", "PutObject", "GetObject"])
def test_storage_that_is_down_for_a_while_costs_nothing_that_was_handed_over(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], operation: str
) -> None:
    run(hire(), job)
    before = now_in(cloud, job)

    with refused("s3", operation) as refusals:
        run(hire(), job)

    after = now_in(cloud, job)
    assert refusals
    assert before.checkpoint is not None
    assert (after.state, after.attempts, after.checkpoint) == (State.QUEUED, 1, before.checkpoint)
    ends_well(cloud, job, hire)


def test_storage_that_takes_all_the_time_there_is_costs_nothing_that_was_handed_over(
    cloud: Cloud, job: Job, hire: Callable[[], Worker]
) -> None:
    run(hire(), job)
    before = now_in(cloud, job)

    run(hire(), job, seconds=0)

    after = now_in(cloud, job)
    assert before.checkpoint is not None
    assert (after.state, after.attempts, after.checkpoint) == (State.QUEUED, 1, before.checkpoint)
    ends_well(cloud, job, hire)


def test_what_was_handed_over_and_is_gone_is_not_gone_on_with(
    cloud: Cloud, job: Job, hire: Callable[[], Worker]
) -> None:
    run(hire(), job)
    for key in cloud.object_keys():
        aws.client("s3").delete_object(Bucket=cloud.bucket, Key=key)

    run(hire(), job)

    assert (now_in(cloud, job).attempts, now_in(cloud, job).checkpoint) == (1, None)
    ends_well(cloud, job, hire)


@pytest.mark.parametrize("relaying", [Relaying(grows=True)], ids=["grows"])
def test_upload_that_is_gone_is_not_gone_on_with(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], relaying: Relaying
) -> None:
    run(hire(), job)
    begun = now_in(cloud, job).checkpoint
    assert begun is not None
    aws.client("s3").abort_multipart_upload(Bucket=cloud.bucket, Key=begun.object_key, UploadId=begun.upload_id)

    run(hire(), job)

    assert (now_in(cloud, job).attempts, now_in(cloud, job).checkpoint) == (1, None)
    ends_well(cloud, job, hire)
    assert relaying.numbers == [0, 1, 0, 1, 2]


def test_reply_that_breaks_off_is_read_again(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], relaying: Relaying
) -> None:
    run(hire(), job)
    broken: list[object] = []

    def break_off(parsed: dict[str, Any], **_: Any) -> None:
        if not broken:
            broken.append(parsed["Body"])
            parsed["Body"] = StreamingBody(io.BytesIO(b"the beginning"), 1000)

    with hooked("after-call", "s3", "GetObject", break_off):
        run(hire(), job)

    assert broken
    assert (now_in(cloud, job).attempts, relaying.numbers) == (0, [0, 1])


def test_hand_over_whose_reply_is_lost_has_happened(cloud: Cloud, job: Job, hire: Callable[[], Worker]) -> None:
    with connection_lost("s3", "PutObject") as lost:
        run(hire(), job)

    assert lost
    assert (now_in(cloud, job).state, now_in(cloud, job).attempts) == (State.QUEUED, 0)
    assert now_in(cloud, job).checkpoint is not None


def test_job_that_makes_no_headway_is_too_slow(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(format_id="0", total_bytes=None, etag=None, last_modified=None, place=0)
    monkeypatch.setattr(Relaying, "__call__", lambda *_, **__: Paused(0, (source,), ()))
    run(hire(), job)
    assert now_in(cloud, job).state is State.QUEUED

    run(hire(), job)

    failed = now_in(cloud, job)
    assert (failed.state, failed.error_code) == (State.FAILED, "source.too_slow")


def test_job_that_has_had_its_time_is_too_slow(
    cloud: Cloud, job: Job, hire: Callable[[], Worker], relaying: Relaying, tmp_path: Path
) -> None:
    run(hire(), job)
    worker = made(cloud, relaying, tmp_path, max_total_s=0.0)

    run(worker, job)

    failed = now_in(cloud, job)
    assert (failed.state, failed.error_code, failed.checkpoint) == (State.FAILED, "source.too_slow", None)
    swept(cloud, after_s=7200.0)
    assert cloud.object_keys() == []


def test_time_of_attempts_that_failed_counts(cloud: Cloud, job: Job, relaying: Relaying, tmp_path: Path) -> None:
    cloud.store.swap(job, dataclasses.replace(job, attempts=1, spent_s=3600.0))

    run(made(cloud, relaying, tmp_path, max_total_s=3600.0), job)

    failed = now_in(cloud, job)
    assert (failed.state, failed.error_code) == (State.FAILED, "source.too_slow")


def test_deleted_job_leaves_nothing(cloud: Cloud, job: Job, hire: Callable[[], Worker]) -> None:
    run(hire(), job)

    def cancel() -> None:
        cloud.store.change(job.tenant, job.id, lambda seen: steps.cancel(seen, now=time.time()))

    with meanwhile("s3", "PutObject", cancel):
        run(hire(), job)

    assert now_in(cloud, job).state is State.CANCELLED
    for _ in range(3):
        swept(cloud, after_s=7200.0)
    assert cloud.object_keys() == []
    assert not aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads")
