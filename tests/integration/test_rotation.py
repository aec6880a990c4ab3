"""Replacing the key that links are signed with."""

import dataclasses
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reelhaul import aws
from reelhaul.links import AccessKey, S3Links
from rotate_link_key import handler
from rotate_link_key.rotation import Rotation, RotationFailed, RotationTooEarly
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import hooked, refused, reply_lost

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


def step(cloud: Cloud, name: str, token: str) -> None:
    event = {"SecretId": cloud.link_secret, "ClientRequestToken": token, "Step": name}
    handler.lambda_handler(event, Context())  # type: ignore[arg-type]


def rotate(cloud: Cloud) -> str:
    token = str(uuid.uuid4())
    for name in STEPS:
        step(cloud, name, token)
    return token


def key(cloud: Cloud, stage: str = "AWSCURRENT") -> AccessKey:
    reply = aws.client("secretsmanager").get_secret_value(SecretId=cloud.link_secret, VersionStage=stage)
    return AccessKey.from_secret(reply["SecretString"])


def active_keys(cloud: Cloud) -> set[str]:
    return {found["AccessKeyId"] for found in aws.client("iam").list_access_keys(UserName="links")["AccessKeyMetadata"]}


class Aged:
    """Makes IAM say that keys are older than they are."""

    def __init__(self) -> None:
        self.ages: dict[str, timedelta] = {}

    def __call__(self, parsed: dict[str, Any], **_: Any) -> None:
        for found in parsed["AccessKeyMetadata"]:
            found["CreateDate"] = datetime.now(UTC) - self.ages.get(found["AccessKeyId"], timedelta())


@pytest.fixture
def aged() -> Any:
    ages = Aged()
    with hooked("after-call", "iam", "ListAccessKeys", ages):
        yield ages


def test_a_rotation_makes_a_new_key_the_one_that_signs_and_keeps_the_old_one_active(cloud: Cloud) -> None:
    old = key(cloud)
    token = rotate(cloud)
    new = key(cloud)
    assert new.id != old.id
    assert active_keys(cloud) == {old.id, new.id}
    assert (
        "AWSCURRENT"
        in aws.client("secretsmanager").describe_secret(SecretId=cloud.link_secret)["VersionIdsToStages"][token]
    )
    signer = S3Links(aws.client("secretsmanager"), cloud.link_secret, cloud.bucket)
    assert new.id in signer.sign("acme/x").url


def test_the_first_rotation_needs_no_key_to_be_there(cloud: Cloud) -> None:
    aws.client("iam").delete_access_key(UserName="links", AccessKeyId=cloud.link_key.id)
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.link_secret, SecretString='{"placeholder": "x"}')
    rotate(cloud)
    assert active_keys(cloud) == {key(cloud).id}


def test_the_next_rotation_deletes_the_key_before_the_current_one(cloud: Cloud, aged: Aged) -> None:
    first = key(cloud)
    rotate(cloud)
    second = key(cloud)
    aged.ages = {first.id: timedelta(days=60), second.id: timedelta(days=30)}
    rotate(cloud)
    assert active_keys(cloud) == {second.id, key(cloud).id}


@pytest.mark.parametrize(("hours", "allowed"), [(1, False), (24.9, False), (25.1, True)])
def test_a_key_whose_links_may_be_alive_is_not_deleted(
    cloud: Cloud,
    aged: Aged,
    hours: float,
    allowed: bool,  # noqa: FBT001 - a table's column
) -> None:
    first = key(cloud)
    rotate(cloud)
    second = key(cloud)
    aged.ages = {first.id: timedelta(days=60), second.id: timedelta(hours=hours)}
    if allowed:
        rotate(cloud)
        return
    with pytest.raises(RotationTooEarly):
        rotate(cloud)
    assert active_keys(cloud) == {first.id, second.id}
    assert key(cloud) == second


def test_a_key_from_a_rotation_that_was_never_finished_makes_room(cloud: Cloud, aged: Aged) -> None:
    current = key(cloud)
    aged.ages = {current.id: timedelta(minutes=10)}
    step(cloud, "createSecret", str(uuid.uuid4()))
    [abandoned] = active_keys(cloud) - {current.id}
    aged.ages[abandoned] = timedelta(minutes=5)
    rotate(cloud)
    assert active_keys(cloud) == {current.id, key(cloud).id}


@pytest.mark.parametrize("name", STEPS)
def test_every_step_may_come_twice(cloud: Cloud, name: str) -> None:
    token = str(uuid.uuid4())
    for each in STEPS:
        step(cloud, each, token)
        if each == name:
            before = active_keys(cloud)
            step(cloud, each, token)
            assert active_keys(cloud) == before
    after = key(cloud)
    for each in STEPS:
        step(cloud, each, token)
    assert key(cloud) == after
    assert len(active_keys(cloud)) == 2


def test_a_key_that_cannot_be_put_into_the_secret_is_deleted_again(cloud: Cloud) -> None:
    with refused("secretsmanager", "PutSecretValue"), pytest.raises(ClientError):
        step(cloud, "createSecret", str(uuid.uuid4()))
    assert active_keys(cloud) == {cloud.link_key.id}


def test_a_rotation_begun_again_after_that_succeeds(cloud: Cloud) -> None:
    with refused("secretsmanager", "PutSecretValue"), pytest.raises(ClientError):
        rotate(cloud)
    rotate(cloud)
    assert len(active_keys(cloud)) == 2


def test_an_unreadable_secret_is_not_mistaken_for_an_empty_one(cloud: Cloud) -> None:
    """Else the key that signs would be deleted to make room."""
    with refused("secretsmanager", "GetSecretValue"), pytest.raises(ClientError):
        step(cloud, "createSecret", str(uuid.uuid4()))
    assert active_keys(cloud) == {cloud.link_key.id}


def test_finish_whose_reply_is_lost_may_come_again(cloud: Cloud) -> None:
    token = str(uuid.uuid4())
    for name in STEPS[:3]:
        step(cloud, name, token)
    with reply_lost("secretsmanager", "UpdateSecretVersionStage"), pytest.raises(Exception, match="connect"):
        step(cloud, "finishSecret", token)
    step(cloud, "finishSecret", token)
    assert key(cloud).id != cloud.link_key.id


def test_an_unknown_step_is_an_error(cloud: Cloud) -> None:
    with pytest.raises(ValueError, match="dance"):
        step(cloud, "dance", "token")


def test_no_step_logs_a_secret(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    rotate(cloud)
    logged = str([vars(record) for record in caplog.records])
    assert key(cloud).id in logged
    assert key(cloud).secret not in logged


# --- whether the new key signs ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class S3:
    """Stands for an S3 client, which moto lets any key use."""

    codes: list[str | None]

    def get_object(self, **_: Any) -> None:
        code = self.codes.pop(0)
        if code is not None:
            raise ClientError({"Error": {"Code": code}}, "GetObject")


def pending(cloud: Cloud, s3: S3, naps: list[float]) -> tuple[Rotation, str]:
    token = str(uuid.uuid4())
    rotation = Rotation(
        secrets=aws.client("secretsmanager"),
        iam=aws.client("iam"),
        s3_for=lambda _key: s3,
        user=cloud.link_user,
        bucket=cloud.bucket,
        clock=time.time,
        sleep=naps.append,
    )
    rotation.create(cloud.link_secret, token)
    return rotation, token


@pytest.mark.parametrize("answer", [None, "NoSuchKey", "AccessDenied"])
def test_a_key_that_s3_knows_passes(cloud: Cloud, answer: str | None) -> None:
    naps: list[float] = []
    rotation, token = pending(cloud, S3([answer]), naps)
    rotation.test(cloud.link_secret, token, has_time=lambda: False)
    assert naps == []


def test_a_new_key_gets_time_to_become_known(cloud: Cloud) -> None:
    naps: list[float] = []
    rotation, token = pending(cloud, S3(["InvalidAccessKeyId", "InvalidAccessKeyId", "NoSuchKey"]), naps)
    rotation.test(cloud.link_secret, token, has_time=lambda: True)
    assert len(naps) == 2


def countdown(times: int) -> Callable[[], bool]:
    left = iter([True] * times)
    return lambda: next(left, False)


@pytest.mark.parametrize("answer", ["InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_key_that_never_becomes_known_fails_the_rotation(cloud: Cloud, answer: str) -> None:
    rotation, token = pending(cloud, S3([answer] * 9), [])
    with pytest.raises(RotationFailed) as caught:
        rotation.test(cloud.link_secret, token, has_time=countdown(3))
    assert key(cloud, "AWSPENDING").secret not in str(caught.value)
    assert key(cloud) == cloud.link_key


def test_nothing_pending_fails_the_test(cloud: Cloud) -> None:
    with pytest.raises(RotationFailed):
        step(cloud, "testSecret", str(uuid.uuid4()))


def test_the_secret_holds_what_the_signer_reads(cloud: Cloud) -> None:
    rotate(cloud)
    text = aws.client("secretsmanager").get_secret_value(SecretId=cloud.link_secret)["SecretString"]
    assert json.loads(text).keys() == {"access_key_id", "secret_access_key"}
