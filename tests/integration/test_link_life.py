"""A link's 24 hours, over the rotations of the key that signed it: the real handlers, and a clock that stands still."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import time_machine

from reelhaul import aws
from reelhaul.jobs import Job
from reelhaul.links import LINK_SECONDS, AccessKey
from rotate_link_key import handler
from tests.conftest import Cloud
from tests.events import Context
from tests.integration.conftest import Api
from tests.jobs_in import done
from tests.s3_judgement import Refused, fetched, judge

DEPLOYED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
ROTATION = 30 * DAY
CONTENT = b"what was downloaded"


@pytest.fixture
def clock(cloud: Cloud) -> Iterator[time_machine.Traveller]:
    """The time of day for all of Python, the handlers, botocore and moto. A key is there from the first rotation on."""
    aws.client("iam").delete_access_key(UserName=cloud.link_user, AccessKeyId=cloud.link_key.id)
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString='{"placeholder": "x"}')
    with time_machine.travel(DEPLOYED, tick=False) as traveller:
        rotate(cloud)
        yield traveller


def rotate(cloud: Cloud) -> None:
    """As Secrets Manager does it."""
    token = str(uuid.uuid4())
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        event = {"SecretId": cloud.link_secret, "ClientRequestToken": token, "Step": step}
        handler.lambda_handler(event, Context())  # type: ignore[arg-type]


def current_key(cloud: Cloud) -> AccessKey:
    reply = aws.client("secretsmanager").get_secret_value(SecretId=cloud.link_secret, VersionStage="AWSCURRENT")
    return AccessKey.from_secret(reply["SecretString"])


@pytest.fixture
def hand_out(api: Api, cloud: Cloud, given: Callable[..., Job]) -> Callable[[], str]:
    """Has `GET /download/{id}` give a link to a file that has just been downloaded."""

    def handed_out() -> str:
        job = given(done)
        assert job.stored is not None
        cloud.put_object(job.stored.key, CONTENT)
        link: str = api("GET", f"/download/{job.id}").body["data"]["download_url"]
        return link

    return handed_out


def refusal(cloud: Cloud, link: str) -> str:
    with pytest.raises(Refused) as caught:
        judge(link, user=cloud.link_user)
    return str(caught.value)


def test_a_link_from_a_minute_before_a_rotation_lives_its_24_hours_and_not_longer(
    cloud: Cloud, clock: time_machine.Traveller, hand_out: Callable[[], str]
) -> None:
    handed_out_at = DEPLOYED + ROTATION - MINUTE
    clock.move_to(handed_out_at)
    signed_with, link = current_key(cloud), hand_out()
    clock.move_to(DEPLOYED + ROTATION)
    rotate(cloud)
    assert current_key(cloud) != signed_with
    for age in (MINUTE, DAY - MINUTE, DAY - SECOND):
        clock.move_to(handed_out_at + age)
        assert fetched(link, user=cloud.link_user) == CONTENT
    clock.move_to(handed_out_at + DAY + SECOND)
    assert refusal(cloud, link) == "AccessDenied"


def test_a_link_by_a_function_that_has_not_noticed_the_rotation_yet_lives_as_long(
    cloud: Cloud, clock: time_machine.Traveller, hand_out: Callable[[], str]
) -> None:
    clock.move_to(DEPLOYED + ROTATION - MINUTE)
    signed_with, _ = current_key(cloud), hand_out()
    clock.move_to(DEPLOYED + ROTATION)
    rotate(cloud)
    handed_out_at = DEPLOYED + ROTATION + 3 * MINUTE
    clock.move_to(handed_out_at)
    link = hand_out()
    assert parse_qs(urlsplit(link).query)["X-Amz-Credential"][0].startswith(f"{signed_with.id}/")
    clock.move_to(handed_out_at + DAY - SECOND)
    assert fetched(link, user=cloud.link_user) == CONTENT


def test_the_rotation_after_that_deletes_the_key_and_what_it_signed_is_refused(
    cloud: Cloud, clock: time_machine.Traveller, hand_out: Callable[[], str]
) -> None:
    first, link = current_key(cloud), hand_out()
    clock.move_to(DEPLOYED + ROTATION)
    rotate(cloud)
    assert refusal(cloud, link) == "AccessDenied"  # it is over, but its key is there
    clock.move_to(DEPLOYED + 2 * ROTATION)
    fresh = signed_by(first, cloud, "acme/x")
    judge(fresh, user=cloud.link_user)
    rotate(cloud)
    assert refusal(cloud, fresh) == "InvalidAccessKeyId"


# --- that the judge knows a bad link when it sees one -----------------------------------------------------------------


def signed_by(key: AccessKey, cloud: Cloud, object_key: str, *, token: str | None = None) -> str:
    """botocore's own, for a day."""
    s3 = boto3.client(
        "s3",
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        aws_session_token=token,
        config=aws.S3_CONFIG,
    )
    params = {"Bucket": cloud.bucket, "Key": object_key}
    return str(s3.generate_presigned_url("get_object", Params=params, ExpiresIn=LINK_SECONDS))


def test_control_a_link_as_botocore_signs_it_passes(cloud: Cloud) -> None:
    judge(signed_by(cloud.link_key, cloud, "acme/ünï &+ x.mp4"), user=cloud.link_user)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/acme/a.mp4", "/acme/b.mp4"),
        ("X-Amz-Expires=86400", "X-Amz-Expires=604800"),
        ("media.s3.", "other.s3."),
        ("?", "?response-content-type=text%2Fhtml&"),
    ],
)
def test_control_a_link_that_was_tampered_with_is_refused(cloud: Cloud, old: str, new: str) -> None:
    link = signed_by(cloud.link_key, cloud, "acme/a.mp4")
    assert old in link
    assert refusal(cloud, link.replace(old, new, 1)) == "SignatureDoesNotMatch"


def test_control_a_link_signed_with_another_secret_is_refused(cloud: Cloud) -> None:
    link = signed_by(AccessKey(cloud.link_key.id, "another secret"), cloud, "acme/a.mp4")
    assert refusal(cloud, link) == "SignatureDoesNotMatch"


def test_control_a_link_of_somebody_elses_key_is_refused(cloud: Cloud) -> None:
    aws.client("iam").create_user(UserName="other")
    made = aws.client("iam").create_access_key(UserName="other")["AccessKey"]
    link = signed_by(AccessKey(made["AccessKeyId"], made["SecretAccessKey"]), cloud, "acme/a.mp4")
    assert refusal(cloud, link) == "InvalidAccessKeyId"


def test_control_a_link_of_a_deleted_key_is_refused(cloud: Cloud) -> None:
    link = signed_by(cloud.link_key, cloud, "acme/a.mp4")
    aws.client("iam").delete_access_key(UserName=cloud.link_user, AccessKeyId=cloud.link_key.id)
    assert refusal(cloud, link) == "InvalidAccessKeyId"


def test_control_a_link_of_a_key_that_was_made_inactive_is_refused(cloud: Cloud) -> None:
    link = signed_by(cloud.link_key, cloud, "acme/a.mp4")
    aws.client("iam").update_access_key(UserName=cloud.link_user, AccessKeyId=cloud.link_key.id, Status="Inactive")
    assert refusal(cloud, link) == "InvalidAccessKeyId"


def test_control_a_link_signed_by_a_role_is_refused(cloud: Cloud) -> None:
    assert refusal(cloud, signed_by(cloud.link_key, cloud, "acme/a.mp4", token="a session's")) == "ExpiredToken"


@pytest.mark.parametrize("moved", [-DAY, DAY + SECOND])
def test_control_a_link_is_refused_outside_its_time(cloud: Cloud, moved: timedelta) -> None:
    with time_machine.travel(DEPLOYED, tick=False) as traveller:
        link = signed_by(cloud.link_key, cloud, "acme/a.mp4")
        traveller.shift(moved)
        assert refusal(cloud, link) == "AccessDenied"
