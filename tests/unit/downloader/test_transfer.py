"""The upload, against moto."""

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from downloader import transfer
from downloader.transfer import Uploader
from reelhaul import aws
from reelhaul.errors import LeaseLost, ServiceUnavailable, StorageUnavailable, WorkerCrashed
from tests.conftest import Cloud
from tests.faults import hooked, refused, reply_lost

MIB = 1024**2
KEY = "acme/download-x/1.mp4"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> Iterator[None]:
    """Parts of the least size that S3 takes, and a moto that shows their checksum as S3 does: with their number."""

    def mend(parsed: dict[str, Any], **_: Any) -> None:
        number = parsed.get("ETag", "").strip('"').partition("-")[2]
        if number:
            parsed["ChecksumSHA256"] += f"-{number}"

    monkeypatch.setattr(transfer, "PART_BYTES", 5 * MIB)
    with hooked("after-call", "s3", "HeadObject", mend):
        yield


def file_of(directory: Path, size: int) -> Path:
    path = directory / "media.mp4"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    return path


def upload(cloud: Cloud, path: Path, *, stop: threading.Event | None = None, seconds: float = 60) -> Any:
    uploader = Uploader(
        aws.client("s3"), cloud.bucket, stop=stop or threading.Event(), deadline=time.monotonic() + seconds
    )
    return uploader.upload(path, key=KEY, content_type="video/mp4", disposition='attachment; filename="a.mp4"')


def test_small_file_is_stored_with_its_headers_and_checksum(cloud: Cloud, tmp_path: Path) -> None:
    path = file_of(tmp_path, 1000)

    stored = upload(cloud, path)

    found = aws.client("s3").get_object(Bucket=cloud.bucket, Key=KEY)
    assert found["Body"].read() == path.read_bytes()
    assert (found["ContentType"], found["ContentDisposition"]) == ("video/mp4", 'attachment; filename="a.mp4"')
    assert (stored.key, stored.size) == (KEY, 1000)
    assert stored.checksum_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [5 * MIB + 1, 10 * MIB, 26 * MIB + 7])
def test_large_file_is_stored_in_parts_under_the_checksum_of_the_whole(cloud: Cloud, tmp_path: Path, size: int) -> None:
    path = file_of(tmp_path, size)

    stored = upload(cloud, path)

    assert aws.client("s3").get_object(Bucket=cloud.bucket, Key=KEY)["Body"].read() == path.read_bytes()
    assert (stored.size, stored.checksum_sha256) == (size, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("field", [{"ContentLength": 999}, {"ChecksumSHA256": "AAAA"}])
def test_object_that_does_not_match_is_not_accepted(cloud: Cloud, tmp_path: Path, field: dict[str, Any]) -> None:
    def bend(parsed: dict[str, Any], **_: Any) -> None:
        parsed |= field

    with hooked("after-call", "s3", "HeadObject", bend), pytest.raises(StorageUnavailable):
        upload(cloud, file_of(tmp_path, 1000))


def test_existing_object_is_never_overwritten(cloud: Cloud, tmp_path: Path) -> None:
    cloud.put_object(KEY, b"somebody else's")

    with pytest.raises(ServiceUnavailable):
        upload(cloud, file_of(tmp_path, 1000))

    assert aws.client("s3").get_object(Bucket=cloud.bucket, Key=KEY)["Body"].read() == b"somebody else's"


@pytest.mark.usefixtures("small_parts")
def test_lost_reply_to_the_last_call_changes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    with reply_lost("s3", "CompleteMultipartUpload"):
        stored = upload(cloud, file_of(tmp_path, 6 * MIB))

    assert stored.size == 6 * MIB


@pytest.mark.usefixtures("small_parts")
def test_upload_ends_when_stopped(cloud: Cloud, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(LeaseLost):
        upload(cloud, file_of(tmp_path, 6 * MIB), stop=stop)

    assert cloud.object_keys() == []


@pytest.mark.usefixtures("small_parts")
def test_stop_after_the_last_part_was_sent_leaves_no_object(cloud: Cloud, tmp_path: Path) -> None:
    stop = threading.Event()

    with hooked("after-call", "s3", "UploadPart", lambda **_: stop.set()), pytest.raises(LeaseLost):
        upload(cloud, file_of(tmp_path, 6 * MIB), stop=stop)

    assert cloud.object_keys() == []


@pytest.mark.usefixtures("small_parts")
def test_upload_ends_at_its_deadline(cloud: Cloud, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        upload(cloud, file_of(tmp_path, 6 * MIB), seconds=-1)


@pytest.mark.usefixtures("small_parts")
def test_storage_that_is_down_is_said_to_be(cloud: Cloud, tmp_path: Path) -> None:
    with refused("s3", "UploadPart"), pytest.raises(ServiceUnavailable):
        upload(cloud, file_of(tmp_path, 6 * MIB))


# --- a file that grows -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
def test_growing_file_is_sent_part_by_part_and_cut_out_behind_all_but_the_first(cloud: Cloud, tmp_path: Path) -> None:
    content = bytes(range(256)) * (16 * MIB // 256) + b"the end"
    path = tmp_path / "media.mp4.part"
    path.touch()
    uploader = Uploader(aws.client("s3"), cloud.bucket, stop=threading.Event(), deadline=time.monotonic() + 60)
    with uploader.growing(path, key=KEY, content_type="video/mp4", disposition="attachment") as growing:
        path.write_bytes(content)
        growing.advance(4 * MIB)
        assert uploads(cloud) == []  # there is no part yet
        growing.advance(16 * MIB)
        path.rename(tmp_path / "media.mp4")
        assert growing.is_of(tmp_path / "media.mp4")
        stored = growing.finish(len(content))

    assert aws.client("s3").get_object(Bucket=cloud.bucket, Key=KEY)["Body"].read() == content
    assert (stored.size, stored.checksum_sha256) == (len(content), hashlib.sha256(content).hexdigest())
    left = (tmp_path / "media.mp4").read_bytes()
    assert (len(left), left[: 5 * MIB]) == (len(content), content[: 5 * MIB])
    assert left[5 * MIB : 15 * MIB] == bytes(10 * MIB)


@pytest.mark.usefixtures("small_parts")
def test_file_that_loses_what_was_final_becomes_no_object(cloud: Cloud, tmp_path: Path) -> None:
    path = file_of(tmp_path, 12 * MIB)
    uploader = Uploader(aws.client("s3"), cloud.bucket, stop=threading.Event(), deadline=time.monotonic() + 60)
    with uploader.growing(path, key=KEY, content_type="video/mp4", disposition="attachment") as growing:
        growing.advance(6 * MIB)
        path.write_bytes(b"anew")
        with pytest.raises(WorkerCrashed):
            growing.finish(12 * MIB)

    assert cloud.object_keys() == []


@pytest.mark.usefixtures("small_parts")
def test_room_ends_with_what_waits_for_storage_and_comes_back(cloud: Cloud, tmp_path: Path) -> None:
    path = file_of(tmp_path, 24 * MIB)
    uploader = Uploader(aws.client("s3"), cloud.bucket, stop=threading.Event(), deadline=time.monotonic() + 60)
    with uploader.growing(path, key=KEY, content_type="video/mp4", disposition="attachment") as growing:
        assert growing.has_room
        path.write_bytes(bytes(26 * MIB))
        assert not growing.has_room
        until = time.monotonic() + 60
        while not growing.has_room and time.monotonic() < until:
            growing.advance(26 * MIB)
            time.sleep(0.01)
        assert growing.has_room


def test_ten_thousand_parts_are_enough_for_two_tebibytes_and_ten_gigabytes_come_in_small_ones() -> None:
    sizes = [transfer.part_bytes(number) for number in range(1, 10_001)]
    assert sum(sizes) > 2 * 1024**4
    assert set(sizes[:1250]) == {8 * MIB}
    assert sizes == sorted(sizes)
    assert max(sizes) <= 5 * 1024**3


def uploads(cloud: Cloud) -> list[Any]:
    return list(aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads", []))
