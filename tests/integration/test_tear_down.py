"""What a stack leaves that CloudFormation does not know of, and what CloudFormation is told about it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from reelhaul import aws
from tear_down import handler
from tear_down.removal import Unfinished, empty_bucket
from tear_down.reply import reply
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import hooked, refused

STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/Reelhaul-prod/2f1e"
MINE = "Reelhaul-prod/sites/"


class CloudFormation:
    """Where replies are PUT to, and what has come. The first `broken` times it answers 503."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any]] = []
        self.content_types: list[str | None] = []
        self.broken = 0
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.content_types.append(self.headers["Content-Type"])
                told.broken -= 1
                if told.broken < 0:
                    assert len(body) <= 4096
                    told.replies.append(json.loads(body))
                self.send_response(503 if told.broken >= 0 else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is written where the tests' results are."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/reply?X-Amz-Signature=abc"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "CloudFormation":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def cloudformation(cloud: Cloud) -> Iterator[CloudFormation]:
    with CloudFormation() as running:
        yield running


def event(
    cloudformation: CloudFormation, wanted: str, kind: str, *, physical_id: str | None = None, **properties: str
) -> dict[str, Any]:
    """As AWS documents it, "Custom resource request objects"."""
    made = {
        "RequestType": wanted,
        "RequestId": "7bfe2d54",
        "ResponseURL": cloudformation.url,
        "ResourceType": kind,
        "LogicalResourceId": kind.partition("::")[2],
        "StackId": STACK_ID,
        "ResourceProperties": {"ServiceToken": "arn:aws:lambda:...", **properties},
    }
    return made if physical_id is None else made | {"PhysicalResourceId": physical_id}


def keys_event(cloudformation: CloudFormation, cloud: Cloud, wanted: str, **fields: Any) -> dict[str, Any]:
    return event(cloudformation, wanted, "Custom::LinkKeys", **{"UserName": cloud.link_user} | fields)


def contents_event(
    cloudformation: CloudFormation, cloud: Cloud, wanted: str = "Delete", *, removal: str = "destroy"
) -> dict[str, Any]:
    properties = {"BucketName": cloud.bucket, "SecretPrefix": MINE, "RemovalPolicy": removal}
    return event(cloudformation, wanted, "Custom::Contents", physical_id="Contents", **properties)


def call(event: dict[str, Any], *, remaining_ms: int = 900_000) -> None:
    handler.lambda_handler(event, Context(remaining_ms=remaining_ms))  # type: ignore[arg-type]


def link_keys(cloud: Cloud) -> list[str]:
    listed = aws.client("iam").list_access_keys(UserName=cloud.link_user)["AccessKeyMetadata"]
    return [found["AccessKeyId"] for found in listed]


def secret_names() -> set[str]:
    pages = aws.client("secretsmanager").get_paginator("list_secrets").paginate(IncludePlannedDeletion=True)
    return {secret["Name"] for page in pages for secret in page["SecretList"]}


def open_uploads(cloud: Cloud) -> list[Any]:
    return list(aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads", []))


# --- the link user's keys ---------------------------------------------------------------------------------------------


def test_the_user_can_be_deleted_once_its_keys_are(cloud: Cloud, cloudformation: CloudFormation) -> None:
    aws.client("iam").create_access_key(UserName=cloud.link_user)
    assert len(link_keys(cloud)) == 2
    call(keys_event(cloudformation, cloud, "Delete", physical_id="LinkKeys"))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS"]
    assert link_keys(cloud) == []
    aws.client("iam").delete_user(UserName=cloud.link_user)


@pytest.mark.parametrize("wanted", ["Create", "Update"])
def test_a_stack_that_is_made_or_changed_loses_nothing(
    cloud: Cloud, cloudformation: CloudFormation, wanted: str
) -> None:
    cloud.put_object("acme/a.mp4")
    aws.client("secretsmanager").create_secret(Name=f"{MINE}acme/example.com", SecretString="x")
    call(keys_event(cloudformation, cloud, wanted))
    call(contents_event(cloudformation, cloud, wanted))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS", "SUCCESS"]
    assert link_keys(cloud) == [cloud.link_key.id]
    assert cloud.object_keys() == ["acme/a.mp4"]
    assert f"{MINE}acme/example.com" in secret_names()


def test_a_user_that_is_gone_has_no_keys(cloud: Cloud, cloudformation: CloudFormation) -> None:
    call(keys_event(cloudformation, cloud, "Delete", UserName="gone"))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS"]


# --- media and the tenants' secrets -----------------------------------------------------------------------------------


def test_a_stack_that_keeps_nothing_is_emptied(cloud: Cloud, cloudformation: CloudFormation) -> None:
    for number in range(3):
        cloud.put_object(f"acme/download-{number}/1.mp4")
    aws.client("s3").create_multipart_upload(Bucket=cloud.bucket, Key="acme/x")
    call(contents_event(cloudformation, cloud))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS"]
    assert (cloud.object_keys(), open_uploads(cloud)) == ([], [])
    aws.client("s3").delete_bucket(Bucket=cloud.bucket)


def test_a_bucket_of_several_pages_is_emptied(cloud: Cloud, cloudformation: CloudFormation) -> None:
    pages: list[str] = []

    def short(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 2
        pages.append("page")

    for number in range(5):
        cloud.put_object(f"acme/{number}")
    with hooked("provide-client-params", "s3", "ListObjectsV2", short):
        call(contents_event(cloudformation, cloud))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS"]
    assert (cloud.object_keys(), len(pages)) == ([], 3)


def test_secrets_of_this_stacks_sites_are_deleted_for_good_and_no_others(
    cloud: Cloud, cloudformation: CloudFormation
) -> None:
    secrets = aws.client("secretsmanager")
    others = {"Reelhaul-prod/other", "Reelhaul-prod2/sites/acme/a.example", "mine/Reelhaul-prod/sites/acme/a.example"}
    for name in (f"{MINE}acme/a.example", f"{MINE}acme/b.example", *others):
        secrets.create_secret(Name=name, SecretString="x")
    secrets.delete_secret(SecretId=f"{MINE}acme/b.example", RecoveryWindowInDays=7)
    call(contents_event(cloudformation, cloud))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS"]
    assert secret_names() == others | {"link-key", "pepper", "webhooks"}


def test_a_stack_that_is_to_be_kept_keeps_media_and_secrets(cloud: Cloud, cloudformation: CloudFormation) -> None:
    cloud.put_object("acme/a.mp4")
    aws.client("s3").create_multipart_upload(Bucket=cloud.bucket, Key="acme/x")
    aws.client("secretsmanager").create_secret(Name=f"{MINE}acme/a.example", SecretString="x")
    call(contents_event(cloudformation, cloud, removal="retain"))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS"]
    assert (cloud.object_keys(), len(open_uploads(cloud))) == (["acme/a.mp4"], 1)
    assert f"{MINE}acme/a.example" in secret_names()


def test_a_bucket_that_is_gone_is_empty(cloud: Cloud, cloudformation: CloudFormation) -> None:
    aws.client("s3").delete_bucket(Bucket=cloud.bucket)
    call(contents_event(cloudformation, cloud))
    assert [told["Status"] for told in cloudformation.replies] == ["SUCCESS"]


def test_a_bucket_too_full_for_one_call_is_said_to_be_and_the_next_one_goes_on(
    cloud: Cloud, cloudformation: CloudFormation
) -> None:
    cloud.put_object("acme/a.mp4")
    call(contents_event(cloudformation, cloud), remaining_ms=29_000)
    call(contents_event(cloudformation, cloud))
    first, second = cloudformation.replies
    assert (first["Status"], second["Status"]) == ("FAILED", "SUCCESS")
    assert first["Reason"] == "Unfinished: media is not empty yet. Delete the stack again: it goes on from here."
    assert cloud.object_keys() == []


def test_an_object_that_s3_keeps_back_is_said_to_be(cloud: Cloud) -> None:
    cloud.put_object("acme/a.mp4")

    def kept(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Errors"] = [{"Key": "acme/a.mp4", "Code": "AccessDenied"}]

    with (
        hooked("after-call", "s3", "DeleteObjects", kept),
        pytest.raises(Unfinished, match=r"^1 objects of media cannot be deleted, the first: AccessDenied\.$"),
    ):
        empty_bucket(aws.client("s3"), cloud.bucket, has_time=lambda: True)


# --- what CloudFormation is told --------------------------------------------------------------------------------------


def test_the_reply_is_what_cloudformation_asks_for(cloud: Cloud, cloudformation: CloudFormation) -> None:
    call(keys_event(cloudformation, cloud, "Create"))
    assert cloudformation.replies == [
        {
            "Status": "SUCCESS",
            "StackId": STACK_ID,
            "RequestId": "7bfe2d54",
            "LogicalResourceId": "LinkKeys",
            "PhysicalResourceId": "LinkKeys",
        }
    ]
    assert cloudformation.content_types == [""]  # else the signature in the URL does not fit


@pytest.mark.parametrize("wanted", ["Update", "Delete"])
def test_the_resource_stays_the_one_it_was(cloud: Cloud, cloudformation: CloudFormation, wanted: str) -> None:
    call(keys_event(cloudformation, cloud, wanted, physical_id="what-it-was-called"))
    assert cloudformation.replies[0]["PhysicalResourceId"] == "what-it-was-called"


def test_whatever_fails_is_told_with_its_reason(cloud: Cloud, cloudformation: CloudFormation) -> None:
    with refused("iam", "DeleteAccessKey"):
        call(keys_event(cloudformation, cloud, "Delete", physical_id="LinkKeys"))
    call(event(cloudformation, "Delete", "Custom::LinkKeys", physical_id="LinkKeys"))
    call(event(cloudformation, "Delete", "Custom::Other", physical_id="Other"))
    reasons = [told["Reason"] for told in cloudformation.replies if told["Status"] == "FAILED"]
    assert "not today" in reasons[0]
    assert reasons[1:] == ["KeyError: 'UserName'", "ValueError: unknown resource type 'Custom::Other'"]
    assert {told["RequestId"] for told in cloudformation.replies} == {"7bfe2d54"}


def test_a_long_reason_is_shortened_to_what_a_reply_may_have(cloudformation: CloudFormation) -> None:
    reply(event(cloudformation, "Delete", "Custom::LinkKeys"), failure='"文\n' * 2000)
    assert len(cloudformation.replies[0]["Reason"]) == 1000


def test_a_reply_that_does_not_arrive_is_sent_again(cloudformation: CloudFormation) -> None:
    pauses: list[float] = []
    cloudformation.broken = 2
    reply(event(cloudformation, "Create", "Custom::LinkKeys"), sleep=pauses.append)
    assert (len(cloudformation.replies), len(pauses)) == (1, 2)


def test_a_reply_that_never_arrives_is_an_error_for_lambda_to_repeat(cloudformation: CloudFormation) -> None:
    cloudformation.broken = 99
    with pytest.raises(OSError, match="503"):
        reply(event(cloudformation, "Create", "Custom::LinkKeys"), sleep=lambda _s: None)
    assert cloudformation.broken == 95


def test_the_address_of_the_reply_is_not_logged(
    cloud: Cloud, cloudformation: CloudFormation, caplog: pytest.LogCaptureFixture
) -> None:
    call(keys_event(cloudformation, cloud, "Delete", physical_id="LinkKeys"))
    with refused("iam", "ListAccessKeys"):
        call(keys_event(cloudformation, cloud, "Delete", physical_id="LinkKeys"))
    logged = str([vars(record) for record in caplog.records])
    assert "tear_down_done" in logged
    assert "tear_down_failed" in logged
    assert "X-Amz-Signature" not in logged
