"""What measures must itself be right: the sink that stands for S3, and what is made of figures."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from downloader.transfer import PART_BYTES, Uploader
from reelhaul.objects import MediaBucket
from tests.benchmarks import playlist, usage
from tests.benchmarks.rows import Row, markdown
from tests.benchmarks.sink import Sink
from tests.benchmarks.source import Sent


@pytest.fixture
def s3() -> Iterator[Any]:
    """A client of boto3's of a sink without a limit."""
    with Sink(0, 0.0) as sink:
        thread = threading.Thread(target=sink.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{sink.server_port}", region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test", config=Config(retries={"max_attempts": 1}),
        )  # fmt: skip
        sink.shutdown()
        thread.join()


@pytest.mark.parametrize("size", [0, 1000, PART_BYTES, PART_BYTES + 1])
def test_our_uploader_finds_the_sink_to_be_s3(s3: Any, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    uploader = Uploader(s3, "media", stop=threading.Event(), deadline=float("inf"))
    stored = uploader.upload(path, key="acme/job/1.mp4", content_type="video/mp4", disposition="attachment")
    assert stored.size == size
    assert stored.checksum_sha256 == hashlib.sha256(bytes(size)).hexdigest()
    assert s3.head_object(Bucket="media", Key="acme/job/1.mp4")["ContentLength"] == size


def test_the_sink_takes_what_upload_file_sends(s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(20_000_000))
    s3.upload_file(str(path), "media", "naive.mp4")
    assert s3.head_object(Bucket="media", Key="naive.mp4")["ContentLength"] == 20_000_000


def test_the_sink_overwrites_nothing_that_must_be_new(s3: Any) -> None:
    s3.put_object(Bucket="media", Key="a", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="media", Key="a", Body=b"22", IfNoneMatch="*")
    assert s3.head_object(Bucket="media", Key="a")["ContentLength"] == 1


def test_what_is_cleaned_is_gone_from_the_sink(s3: Any) -> None:
    s3.put_object(Bucket="media", Key="acme/job/7.mp4", Body=b"1")
    s3.create_multipart_upload(Bucket="media", Key="acme/job/7.mp4")
    MediaBucket(s3, "media").clean("acme", "job", fence=7)
    assert s3.list_objects_v2(Bucket="media", Prefix="acme/").get("Contents", []) == []
    assert s3.list_multipart_uploads(Bucket="media", Prefix="acme/").get("Uploads", []) == []


def test_the_sink_shows_a_checksum_of_the_parts_checksums(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="media", Key="a", ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE")[
        "UploadId"
    ]
    digests = [hashlib.sha256(body).digest() for body in (b"1", b"2")]
    for number, digest in enumerate(digests, 1):
        s3.upload_part(
            Bucket="media", Key="a", UploadId=upload, PartNumber=number, Body=str(number).encode(),
            ChecksumSHA256=base64.b64encode(digest).decode(),
        )  # fmt: skip
    parts = [{"PartNumber": number, "ETag": "x"} for number in (1, 2)]
    s3.complete_multipart_upload(Bucket="media", Key="a", UploadId=upload, MultipartUpload={"Parts": parts})
    shown = s3.head_object(Bucket="media", Key="a", ChecksumMode="ENABLED")["ChecksumSHA256"]
    assert shown == base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode() + "-2"


def test_a_row_is_met_up_to_its_goal_and_never_when_it_failed() -> None:
    assert [Row("a", value, "s", "b", 10, 1.1).verdict for value in (5, 11, 12)] == ["yes", "yes", "no"]
    assert Row("a", 0, "s", "b", 10, failed="source.too_slow").verdict == "no: source.too_slow"
    assert Row("a", 0, "s", "b", 10, failed="source.too_slow").ratio is None


def test_a_table_has_as_many_cells_in_each_line() -> None:
    rows = [Row("a", 1, "s", "b", 10), Row("c", 1, "s"), Row("d", 0, "s", "b", 1, failed="x")]
    assert {line.count("|") for line in markdown(rows).splitlines()} == {8}


def test_replies_that_overlap_are_counted_together() -> None:
    sent = [Sent(began, ended, 1, "/") for began, ended in ((0, 10), (1, 2), (2, 3), (4, 11), (5, 6))]
    assert playlist.at_once(sent) == 3


def test_an_item_that_is_asked_for_twice_is_one() -> None:
    sent = [Sent(0, 1, 1, "/", "n=1"), Sent(2, 3, 1, "/", "n=1"), Sent(2, 4, 1, "/", "n=2")]
    assert playlist.by_item(sent) == [Sent(0, 3, 1, "/", "n=1"), Sent(2, 4, 1, "/", "n=2")]


def test_disk_is_counted_in_blocks_and_holes_are_none(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with (tmp_path / "sub" / "holes").open("wb") as file:
        file.truncate(100_000_000)
    (tmp_path / "full").write_bytes(b"1" * 1_000_000)
    assert 1_000_000 <= usage.allocated(tmp_path) < 2_000_000
