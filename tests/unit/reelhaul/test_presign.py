"""Links of our own making are botocore's, byte for byte."""

import functools
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelhaul.aws import S3_CONFIG
from reelhaul.presign import Place, Presigner

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DAY = 86_400
REGIONS = ["eu-central-1", "us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "ap-southeast-4"]
OURS = f"{'t' * 40}/download-{'0' * 26}/12.mp4"

# Any text that UTF-8 can carry; half of them made of what addresses are sensitive to.
object_keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.text(
    "aZ09 /+~-._%&=?#:;,@!$'()*[]{}<>|\\^`\"\t\n\x00\x7fäß文😀", min_size=1, max_size=60
)
moments = st.integers(0, 4_102_444_800)


@functools.cache
def client_of(region: str, endpoint_url: str | None) -> Any:
    return boto3.client(
        "s3",
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=S3_CONFIG,
    )


def botocores(key: str, *, now: int, region: str, endpoint_url: str | None, bucket: str, expires_s: int) -> str:
    """What botocore signs at `now`."""
    params = {"Bucket": bucket, "Key": key}
    with mock.patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(now, UTC)):
        url: str = client_of(region, endpoint_url).generate_presigned_url(
            "get_object", Params=params, ExpiresIn=expires_s
        )
    return url


def assert_same(
    key: str,
    *,
    now: int = 1_795_305_600,
    region: str = "eu-central-1",
    endpoint_url: str | None = None,
    bucket: str = "media",
    expires_s: int = DAY,
) -> None:
    theirs = functools.partial(botocores, region=region, endpoint_url=endpoint_url, bucket=bucket)
    place = Place.of(theirs("k", now=0, expires_s=1), key="k")
    ours = Presigner(KEY_ID, SECRET, place, expires_s=expires_s).sign(key, now=now)
    assert ours == theirs(key, now=now, expires_s=expires_s)


@given(key=object_keys, now=moments, region=st.sampled_from(REGIONS))
@example(key="/lead//in/../dots/./ and ~tilde+plus%2F", now=0, region="us-east-1")
@example(key="ünï/文字/😀 — “quotes”.mp4", now=951_782_400, region="eu-west-1")  # 29 February 2000
def test_any_key_at_any_time_in_any_region_is_signed_as_botocore_does(key: str, now: int, region: str) -> None:
    assert_same(key, now=now, region=region)


@given(key=object_keys, region=st.sampled_from(REGIONS))
def test_a_bucket_that_is_part_of_the_path_is_signed_as_botocore_does(key: str, region: str) -> None:
    """As the embedded engine is reached: an address of numbers has no room for a bucket in front."""
    assert_same(key, region=region, endpoint_url="http://127.0.0.1:4566")


@pytest.mark.parametrize(
    "endpoint_url",
    ["http://127.0.0.1:80", "https://127.0.0.1:443", "http://127.0.0.1:443", "https://127.0.0.1:8443", "http://[::1]:4566",
     "http://localhost:4566", "http://S3.Example:80", "https://s3.example:443/below", "http://127.0.0.1:180"],
)  # fmt: skip
def test_any_endpoint_is_signed_as_botocore_does(endpoint_url: str) -> None:
    assert_same(OURS, endpoint_url=endpoint_url)


@pytest.mark.parametrize("bucket", ["my.dotted.bucket", "k", "reelhaul-media-123456789012-eu-central-1"])
def test_any_bucket_is_signed_as_botocore_does(bucket: str) -> None:
    assert_same(OURS, bucket=bucket)


@given(expires_s=st.integers(1, 604_800))
def test_any_lifetime_is_signed_as_botocore_does(expires_s: int) -> None:
    assert_same(OURS, expires_s=expires_s)


@given(nows=st.lists(st.sampled_from([0, 1, DAY - 1, DAY, 10 * DAY + 7]), min_size=2, max_size=6))
def test_one_signer_keeps_pace_with_the_clock(nows: list[int]) -> None:
    """What is kept of one second is not used for another, nor the key of one day on the next."""
    where = {"region": "eu-central-1", "endpoint_url": None, "bucket": "media"}
    place = Place.of(botocores("k", now=0, expires_s=1, **where), key="k")  # type: ignore[arg-type]
    presigner = Presigner(KEY_ID, SECRET, place, expires_s=DAY)
    for now in nows:
        assert presigner.sign(OURS, now=now) == botocores(OURS, now=now, expires_s=DAY, **where)  # type: ignore[arg-type]


def test_control_another_secret_signs_otherwise() -> None:
    """Else the tests above would compare what does not depend on the signature."""
    place = Place("https://media.s3.amazonaws.com", "media.s3.amazonaws.com", "/", "us-east-1")
    one, other = (urlsplit(Presigner(KEY_ID, secret, place, expires_s=DAY).sign(OURS, now=0)) for secret in "ab")
    assert one.path == other.path
    assert one.query != other.query


def test_a_link_is_an_example_of_the_documentation() -> None:
    """AWS, "Authenticating Requests: Using Query Parameters", the example with its published signature."""
    place = Place("https://examplebucket.s3.amazonaws.com", "examplebucket.s3.amazonaws.com", "/", "us-east-1")
    url = Presigner(KEY_ID, SECRET, place, expires_s=DAY).sign("test.txt", now=1_369_353_600)
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_a_presigner_never_shows_its_secret() -> None:
    place = Place("https://media.s3.amazonaws.com", "media.s3.amazonaws.com", "/", "us-east-1")
    presigner = Presigner(KEY_ID, "hush", place, expires_s=DAY)
    assert "hush" not in f"{presigner} {presigner!r} {[presigner]}"
