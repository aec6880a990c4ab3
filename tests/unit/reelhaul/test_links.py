"""Links that live for 24 hours, whoever runs the code that signs them."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from reelhaul import aws
from reelhaul.errors import ServiceUnavailable
from reelhaul.links import LINK_SECONDS, AccessKey, LinkSigner
from tests.conftest import Cloud
from tests.faults import hooked, refused

KEY = "acme/download-1/1.mp4"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(cloud: Cloud, clock: Clock) -> LinkSigner:
    return LinkSigner(aws.client("secretsmanager"), cloud.link_secret, cloud.bucket, clock=clock)


def assert_lives_a_day(url: str, key_id: str) -> None:
    """What decides how long S3 honours a link: AWS, "Authenticating Requests: Using Query Parameters (SigV4)"."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert "X-Amz-Security-Token" not in query
    assert query["X-Amz-Expires"] == "86400"
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Credential"].split("/")[0] == key_id


def test_a_link_is_signed_with_the_users_key_for_a_day(cloud: Cloud, signer: LinkSigner) -> None:
    assert_lives_a_day(signer.sign(KEY).url, cloud.link_key.id)


def test_control_a_link_signed_by_a_role_does_not_pass(cloud: Cloud) -> None:
    """The same assertion, on what the function's own client makes: the credentials in the environment have a token."""
    params = {"Bucket": cloud.bucket, "Key": KEY}
    url = aws.client("s3").generate_presigned_url("get_object", Params=params, ExpiresIn=LINK_SECONDS)
    with pytest.raises(AssertionError, match="X-Amz-Security-Token"):
        assert_lives_a_day(url, cloud.link_key.id)


def test_control_an_assumed_role_does_not_pass(cloud: Cloud) -> None:
    role = boto3.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/function", RoleSessionName="session")
    credentials = role["Credentials"]
    s3 = boto3.client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=aws.S3_CONFIG,
    )
    url = s3.generate_presigned_url("get_object", Params={"Bucket": cloud.bucket, "Key": KEY}, ExpiresIn=LINK_SECONDS)
    with pytest.raises(AssertionError, match="X-Amz-Security-Token"):
        assert_lives_a_day(url, credentials["AccessKeyId"])


def test_a_link_leads_to_the_bucket_in_its_own_region(signer: LinkSigner) -> None:
    parts = urlsplit(signer.sign(KEY).url)
    assert (parts.scheme, parts.hostname, parts.path) == (
        "https", "media.s3.eu-central-1.amazonaws.com", f"/{KEY}",
    )  # fmt: skip


def test_a_link_says_until_when_it_lives(signer: LinkSigner, clock: Clock) -> None:
    assert signer.sign(KEY).expires_at == clock.now + 86_400


def test_5000_links_fit_into_one_reply_of_lambda(signer: LinkSigner) -> None:
    assert len(signer.sign(f"{'t' * 40}/download-{'0' * 26}/12.mp4").url) < 600


@pytest.fixture
def reads(cloud: Cloud) -> Iterator[list[str]]:
    seen: list[str] = []
    with hooked("before-call", "secretsmanager", "GetSecretValue", lambda **_: seen.append("read")):
        yield seen


def test_the_secret_is_read_once_for_many_links(signer: LinkSigner, reads: list[str]) -> None:
    for _ in range(10):
        signer.sign(KEY)
    assert reads == ["read"]


def test_a_key_that_is_known_outlives_an_outage_of_its_store(signer: LinkSigner, clock: Clock) -> None:
    before = signer.sign("acme/a.mp4").url
    clock.now += 3600
    with refused("secretsmanager", "GetSecretValue") as refusals:
        after = signer.sign("acme/a.mp4").url
    assert refusals
    assert parse_qs(urlsplit(after).query)["X-Amz-Credential"][0].split("/")[0] in before


def test_a_rotated_key_is_picked_up_after_a_while(cloud: Cloud, signer: LinkSigner, clock: Clock) -> None:
    signer.sign(KEY)
    rotated = AccessKey("AKIAROTATED", "secret")
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString=rotated.to_secret())
    clock.now += 299
    assert_lives_a_day(signer.sign(KEY).url, cloud.link_key.id)
    clock.now += 2
    assert_lives_a_day(signer.sign(KEY).url, "AKIAROTATED")


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", '{"access_key_id": "a"}', "AKIA:secret"])
def test_without_a_key_in_the_secret_nothing_is_signed(cloud: Cloud, signer: LinkSigner, text: str) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString=text or " ")
    with pytest.raises(ServiceUnavailable):
        signer.sign(KEY)


def test_a_secret_that_cannot_be_read_is_service_unavailable(signer: LinkSigner) -> None:
    with refused("secretsmanager", "GetSecretValue"), pytest.raises(ServiceUnavailable):
        signer.sign(KEY)


def test_a_key_survives_the_round_trip_and_never_shows_its_secret() -> None:
    key = AccessKey("AKIA1", "hush")
    assert AccessKey.from_secret(key.to_secret()) == key
    assert json.loads(key.to_secret()) == {"access_key_id": "AKIA1", "secret_access_key": "hush"}
    assert "hush" not in f"{key} {key!r} {[key]}"


def test_a_link_reaches_an_object_that_is_there(cloud: Cloud, signer: LinkSigner) -> None:
    assert not signer.reaches(KEY)
    cloud.put_object(KEY)
    assert signer.reaches(KEY)
