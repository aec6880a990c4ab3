"""Links that live for 24 hours, whoever runs the code that signs them."""

import json
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from reelhaul import aws
from reelhaul.errors import ServiceUnavailable
from reelhaul.links import LINK_SECONDS, AccessKey, S3Links
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
def signer(cloud: Cloud, clock: Clock) -> S3Links:
    return S3Links(aws.client("secretsmanager"), cloud.link_secret, cloud.bucket, clock=clock)


def assert_lives_a_day(url: str, key_id: str) -> None:
    """What decides how long S3 honours a link: AWS, "Authenticating Requests: Using Query Parameters (SigV4)"."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert "X-Amz-Security-Token" not in query
    assert query["X-Amz-Expires"] == "86400"
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Credential"].split("/")[0] == key_id


def test_a_link_is_signed_with_the_users_key_for_a_day(cloud: Cloud, signer: S3Links) -> None:
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


def test_a_link_is_the_one_that_botocore_would_have_made(cloud: Cloud) -> None:
    s3 = boto3.client(
        "s3",
        aws_access_key_id=cloud.link_key.id,
        aws_secret_access_key=cloud.link_key.secret,
        aws_session_token=None,
        config=aws.S3_CONFIG,
    )
    params = {"Bucket": cloud.bucket, "Key": KEY}
    theirs = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=LINK_SECONDS)
    signed_at = datetime.strptime(parse_qs(urlsplit(theirs).query)["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z").timestamp()
    ours = S3Links(aws.client("secretsmanager"), cloud.link_secret, cloud.bucket, clock=lambda: signed_at)
    assert ours.sign(KEY).url == theirs


def test_a_link_leads_to_the_bucket_in_its_own_region(signer: S3Links) -> None:
    parts = urlsplit(signer.sign(KEY).url)
    assert (parts.scheme, parts.hostname, parts.path) == (
        "https", "media.s3.eu-central-1.amazonaws.com", f"/{KEY}",
    )  # fmt: skip


def test_a_link_under_another_name_lives_as_long(cloud: Cloud, signer: S3Links, clock: Clock) -> None:
    disposition = 'attachment; filename="ä.mp4"'
    link = signer.sign_as(KEY, disposition=disposition)
    assert_lives_a_day(link.url, cloud.link_key.id)
    assert parse_qs(urlsplit(link.url).query)["response-content-disposition"] == [disposition]
    assert link.expires_at == int(clock.now) + 86_400


def test_a_link_says_until_when_it_lives(signer: S3Links, clock: Clock) -> None:
    clock.now += 0.75  # S3 reads whole seconds
    assert signer.sign(KEY).expires_at == int(clock.now) + 86_400


def test_5000_links_fit_into_one_reply_of_lambda(signer: S3Links) -> None:
    assert len(signer.sign(f"{'t' * 40}/download-{'0' * 26}/12.mp4").url) < 600


@pytest.fixture
def reads(cloud: Cloud) -> Iterator[list[str]]:
    seen: list[str] = []
    with hooked("before-call", "secretsmanager", "GetSecretValue", lambda **_: seen.append("read")):
        yield seen


def test_the_secret_is_read_once_for_many_links(signer: S3Links, reads: list[str]) -> None:
    for _ in range(10):
        signer.sign(KEY)
    assert reads == ["read"]


def test_a_key_that_is_known_outlives_an_outage_of_its_store(signer: S3Links, clock: Clock) -> None:
    before = signer.sign("acme/a.mp4").url
    clock.now += 3600
    with refused("secretsmanager", "GetSecretValue") as refusals:
        after = signer.sign("acme/a.mp4").url
    assert refusals
    assert parse_qs(urlsplit(after).query)["X-Amz-Credential"][0].split("/")[0] in before


def test_a_rotated_key_is_picked_up_after_a_while(cloud: Cloud, signer: S3Links, clock: Clock) -> None:
    signer.sign(KEY)
    rotated = AccessKey("AKIAROTATED", "secret")
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString=rotated.to_secret())
    clock.now += 299
    assert_lives_a_day(signer.sign(KEY).url, cloud.link_key.id)
    clock.now += 2
    assert_lives_a_day(signer.sign(KEY).url, "AKIAROTATED")


# --- which keys something may have been signed with -------------------------------------------------------------------


def rotate(cloud: Cloud, key_id: str) -> AccessKey:
    rotated = AccessKey(key_id, "secret")
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString=rotated.to_secret())
    return rotated


def candidates(signer: S3Links) -> list[str]:
    return [key.id for key in signer.keys.candidates()]


def test_before_the_first_rotation_the_current_key_is_the_only_candidate(cloud: Cloud, signer: S3Links) -> None:
    assert candidates(signer) == [cloud.link_key.id]


def test_after_a_rotation_the_previous_key_is_a_candidate_too(cloud: Cloud, signer: S3Links) -> None:
    rotate(cloud, "AKIAROTATED")
    assert candidates(signer) == ["AKIAROTATED", cloud.link_key.id]


def test_a_rotation_that_we_have_not_noticed_yet_is_looked_for(cloud: Cloud, signer: S3Links) -> None:
    """Another process may have, and have given away what we are asked about."""
    assert signer.keys.current() == cloud.link_key
    rotate(cloud, "AKIAROTATED")
    assert signer.keys.current() == cloud.link_key
    assert candidates(signer) == [cloud.link_key.id, "AKIAROTATED"]


def test_a_previous_version_without_a_key_is_no_candidate(cloud: Cloud, signer: S3Links) -> None:
    """As when the first rotation has replaced what the template put there."""
    secret = aws.client("secretsmanager").create_secret(Name="new", SecretString='{"placeholder": "x"}')["ARN"]
    aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=AccessKey("AKIA1", "s").to_secret())
    assert candidates(S3Links(aws.client("secretsmanager"), secret, cloud.bucket)) == ["AKIA1"]


def test_asking_for_candidates_again_and_again_reads_the_secret_once_in_a_while(
    signer: S3Links, reads: list[str], clock: Clock
) -> None:
    for _ in range(5):
        candidates(signer)
    assert len(reads) == 3  # the current key; then both, once
    clock.now += 11
    candidates(signer)
    assert len(reads) == 5


def test_the_current_key_is_a_candidate_without_any_more_reading(signer: S3Links, reads: list[str]) -> None:
    next(signer.keys.candidates())
    next(signer.keys.candidates())
    assert reads == ["read"]


def test_candidates_that_cannot_be_read_are_service_unavailable(signer: S3Links) -> None:
    signer.keys.current()
    with refused("secretsmanager", "GetSecretValue"), pytest.raises(ServiceUnavailable):
        candidates(signer)


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", '{"access_key_id": "a"}', "AKIA:secret"])
def test_without_a_key_in_the_secret_nothing_is_signed(cloud: Cloud, signer: S3Links, text: str) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString=text or " ")
    with pytest.raises(ServiceUnavailable):
        signer.sign(KEY)


def test_a_secret_that_cannot_be_read_is_service_unavailable(signer: S3Links) -> None:
    with refused("secretsmanager", "GetSecretValue"), pytest.raises(ServiceUnavailable):
        signer.sign(KEY)


def test_a_key_survives_the_round_trip_and_never_shows_its_secret() -> None:
    key = AccessKey("AKIA1", "hush")
    assert AccessKey.from_secret(key.to_secret()) == key
    assert json.loads(key.to_secret()) == {"access_key_id": "AKIA1", "secret_access_key": "hush"}
    assert "hush" not in f"{key} {key!r} {[key]}"


def test_a_link_reaches_an_object_that_is_there(cloud: Cloud, signer: S3Links) -> None:
    assert not signer.reaches(KEY)
    cloud.put_object(KEY)
    assert signer.reaches(KEY)
