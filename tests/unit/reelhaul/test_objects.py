"""The objects that belong to jobs."""

import pytest

from reelhaul import aws
from reelhaul.errors import ServiceUnavailable
from tests.conftest import Cloud
from tests.faults import refused

JOB = "download-1"


def fill(cloud: Cloud, *names: str) -> None:
    for name in names:
        cloud.put_object(f"acme/{JOB}/{name}")


def names(cloud: Cloud) -> list[str]:
    return [key.rpartition("/")[2] for key in cloud.object_keys() if key.startswith(f"acme/{JOB}/")]


def start_upload(cloud: Cloud, key: str) -> None:
    aws.client("s3").create_multipart_upload(Bucket=cloud.bucket, Key=key)


def uploads(cloud: Cloud) -> list[str]:
    found = aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads", [])
    return [upload["Key"] for upload in found]


def test_clean_removes_all_objects_and_open_uploads_of_a_job(cloud: Cloud) -> None:
    fill(cloud, "1.mp4", "2.mkv")
    start_upload(cloud, f"acme/{JOB}/3.mp4")
    assert cloud.media.clean("acme", JOB) == 3
    assert (names(cloud), uploads(cloud)) == ([], [])


def test_clean_leaves_other_jobs_and_tenants_alone(cloud: Cloud) -> None:
    others = [f"acme/{JOB}0/1.mp4", f"acmex/{JOB}/1.mp4", "acme/other/1.mp4"]
    for key in others:
        cloud.put_object(key)
        start_upload(cloud, key)
    assert cloud.media.clean("acme", JOB) == 0
    assert cloud.object_keys() == sorted(others)
    assert sorted(uploads(cloud)) == sorted(others)


def test_clean_keeps_the_file_of_a_job_that_is_done(cloud: Cloud) -> None:
    fill(cloud, "1.mp4", "2.mp4")
    cloud.media.clean("acme", JOB, keep=f"acme/{JOB}/2.mp4")
    assert names(cloud) == ["2.mp4"]


def test_clean_of_one_fence_leaves_the_others(cloud: Cloud) -> None:
    fill(cloud, "1.mp4", "11.mp4", "2.mp4")
    cloud.media.clean("acme", JOB, fence=1)
    assert names(cloud) == ["11.mp4", "2.mp4"]


def test_clean_up_to_a_fence_leaves_later_workers_alone(cloud: Cloud) -> None:
    fill(cloud, "2.mp4", "3.mp4", "10.mp4")
    start_upload(cloud, f"acme/{JOB}/1.mp4")
    start_upload(cloud, f"acme/{JOB}/11.mp4")
    cloud.media.clean("acme", JOB, up_to=3)
    assert (names(cloud), uploads(cloud)) == (["10.mp4"], [f"acme/{JOB}/11.mp4"])


def test_a_bucket_that_cannot_be_reached_is_service_unavailable(cloud: Cloud) -> None:
    with refused("s3", "ListObjectsV2"), pytest.raises(ServiceUnavailable):
        cloud.media.clean("acme", JOB)
