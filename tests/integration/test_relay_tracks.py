"""Downloads of several pieces that take longer than an invocation: real fetchers, one after the other, on moto."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from downloader import handler, transfer
from downloader.fetcher import structure
from reelhaul import aws
from reelhaul.jobs import Job, State
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import hooked
from tests.integration.rationed import Rationed, make_pieces
from tests.integration.streaming import PART_BYTES
from tests.jobs_in import queued
from tests.media import probed
from tests.unit.downloader.fragmented import packets, plays

INVOCATION_MS = 30_000
_CLOSE_S = 0.025
_ALL = 10**9
_SHARE = 0.25  # of all, for each of the first four invocations, were it not a little less

Handle = Callable[[Job, int], Job]


@pytest.fixture
def source(media: Path) -> Iterator[Rationed]:
    make_pieces(media)
    with Rationed(media) as server:
        yield server
        server.ration(0, share=0.0)


@pytest.fixture(autouse=True)
def _installed(cloud: Cloud, source: Rationed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def mend(
        parsed: dict[str, Any], **_: Any
    ) -> None:  # S3 shows the checksum of parts with their number, moto without
        number = parsed.get("ETag", "").strip('"').partition("-")[2]
        if number:
            parsed["ChecksumSHA256"] += f"-{number}"

    (tmp_path / "work").mkdir()
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path / "work"))
    monkeypatch.setenv("ALLOWED_ORIGINS", source.origin)
    monkeypatch.setattr(transfer, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    handler.dependencies.cache_clear()
    with hooked("after-call", "s3", "HeadObject", mend):
        yield


@pytest.fixture
def begin(cloud: Cloud, source: Rationed) -> Callable[[str], Job]:
    def begin(path: str) -> Job:
        job = queued(url=source.url(path), now=time.time())
        cloud.store.create(job)
        cloud.queue.send(job)
        return job

    return begin


@pytest.fixture
def invoke(cloud: Cloud, source: Rationed) -> Handle:
    """The next invocation for the job, which the source has so many bytes for."""

    def invoke(job: Job, ration: int) -> Job:
        message = aws.client("sqs").receive_message(
            QueueUrl=cloud.queue_url, VisibilityTimeout=900, WaitTimeSeconds=15
        )["Messages"][0]
        name = cloud.queue_url.rpartition("/")[2]
        record = {
            "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{name}",
        }  # fmt: skip
        source.ration(ration, share=min(1.0, 0.85 * _SHARE) if ration < _ALL else 1.0)
        remaining_ms = INVOCATION_MS if ration < _ALL else 10 * INVOCATION_MS
        handler.lambda_handler({"Records": [record]}, Context(remaining_ms=remaining_ms))
        aws.client("sqs").delete_message(QueueUrl=cloud.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return cloud.store.get(job.tenant, job.id)

    return invoke


def stored(cloud: Cloud, job: Job, path: Path) -> Path:
    assert job.state is State.DONE, job
    assert job.stored is not None
    path.write_bytes(aws.client("s3").get_object(Bucket=cloud.bucket, Key=job.stored.key)["Body"].read())
    return path


@pytest.mark.parametrize(
    ("path", "most"),  # of files what lies in sockets is lost with each connection, which is much of ones so small
    [
        ("large/list.m3u8", 1.3),
        ("large/fmp4/list.m3u8", 1.3),
        ("large/manifest.mpd", 1.3),
        ("large/two/manifest.mpd", 1.7),
    ],
)
def test_four_invocations_make_what_one_makes(
    cloud: Cloud, source: Rationed, begin: Callable[[str], Job], invoke: Handle, tmp_path: Path, path: str, most: float
) -> None:
    single = stored(cloud, invoke(begin(path), _ALL), tmp_path / "single.mp4")
    whole_bytes = sum(source.sent_bytes.values())
    source.sent_bytes.clear()
    job = begin(path)
    came = [0]
    for _ in range(4):
        waiting = invoke(job, int(whole_bytes * _SHARE * 0.85))
        assert (waiting.state, waiting.attempts) == (State.QUEUED, 0), waiting
        assert waiting.checkpoint is not None
        assert not list((tmp_path / "work").iterdir())
        came.append(waiting.checkpoint.bytes)
    seamed = stored(cloud, invoke(job, _ALL), tmp_path / "seamed.mp4")

    assert all(later > before for before, later in itertools.pairwise(came))
    assert sum(source.sent_bytes.values()) < whole_bytes * most, source.sent_bytes
    check_same(seamed, single)


def check_same(seamed: Path, single: Path) -> None:
    for track in ("v", "a"):
        ours, theirs = packets(seamed, track), packets(single, track)
        assert [one.content for one in ours] == [one.content for one in theirs]
        assert all(now.dts_s > before.dts_s for before, now in itertools.pairwise(ours))
        for mine, its in zip(ours, theirs, strict=True):
            assert mine.pts_s == pytest.approx(its.pts_s, abs=_CLOSE_S)
    assert probed(seamed)["duration_s"] == pytest.approx(probed(single)["duration_s"], abs=_CLOSE_S)
    assert plays(seamed)
    assert not structure.is_fragmented(seamed)
    assert not structure.is_cut_short(seamed)
