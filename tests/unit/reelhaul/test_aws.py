"""How AWS is reached."""

from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, UnknownServiceError
from botocore.session import Session

from reelhaul import aws
from reelhaul.errors import Conflict, ServiceUnavailable
from tests.conftest import Cloud

ERROR = ClientError({"Error": {"Code": "SlowDown", "Message": "m"}}, "PutObject")


def test_there_is_one_client_a_service(cloud: Cloud) -> None:
    assert aws.client("s3") is aws.client("s3")
    assert aws.client("s3") is not aws.client("sqs")


def test_s3_is_signed_with_sigv4_and_addressed_by_the_buckets_own_host(cloud: Cloud) -> None:
    config = aws.client("s3").meta.config
    assert (config.signature_version, config.s3["addressing_style"]) == ("s3v4", "virtual")


def test_links_have_their_region_in_their_host_in_the_oldest_one_too() -> None:
    client: Any = Session().create_client(
        "s3", "us-east-1", aws_access_key_id="A", aws_secret_access_key="s", config=aws.S3_CONFIG
    )
    link = client.generate_presigned_url("get_object", Params={"Bucket": "media", "Key": "k"})
    assert link.startswith("https://media.s3.us-east-1.amazonaws.com/k?")


@pytest.mark.parametrize("error", [ERROR, EndpointConnectionError(endpoint_url="https://x")])
def test_errors_of_aws_are_translated_with_their_cause(error: Exception) -> None:
    with pytest.raises(ServiceUnavailable) as caught, aws.translated():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [Conflict(), ValueError("a bug")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, aws.translated():
        raise error
    assert caught.value is error


def test_the_code_of_an_error() -> None:
    assert aws.error_code(ERROR) == "SlowDown"
    assert aws.error_code(ClientError({}, "PutObject")) == ""


def test_a_service_that_nothing_here_uses_has_no_client() -> None:
    with pytest.raises(UnknownServiceError):
        _ = aws.client("ec2").describe_instances


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"])
@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("cloudformation", "list_stacks", {}),
        ("dynamodb", "list_tables", {}),
        ("events", "list_rules", {}),
        ("iam", "list_users", {}),
        ("s3", "head_bucket", {"Bucket": "media"}),
        ("secretsmanager", "list_secrets", {}),
        ("sqs", "list_queues", {}),
    ],
)
def test_services_are_found_where_botocore_finds_them(
    region: str, service: str, operation: str, arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    lean = Session()
    lean.register_component("data_loader", aws.LeanLoader())

    usual, ours = (_sent(session, region, service, operation, arguments) for session in (Session(), lean))

    assert ours == usual
    assert f"/{service}/aws4_request" in ours[1]


def _sent(session: Session, region: str, service: str, operation: str, arguments: dict[str, str]) -> tuple[str, str]:
    """The address that a request would go to, and what it is signed for. Nothing is sent."""
    seen: list[AWSPreparedRequest] = []

    def instead(request: AWSPreparedRequest, **_: Any) -> Any:
        seen.append(request)
        return AWSResponse(request.url, 500, HTTPHeaders(), None)

    config = (aws.S3_CONFIG if service == "s3" else Config()).merge(Config(retries={"total_max_attempts": 1}))
    client = session.create_client(service, region, aws_access_key_id="A", aws_secret_access_key="s", config=config)
    client.meta.events.register_first("before-send", instead)
    with pytest.raises((ClientError, AttributeError)):  # the reply has no body
        getattr(client, operation)(**arguments)
    (request,) = seen
    return request.url, str(request.headers["Authorization"]).split("Credential=A/")[1].split(",")[0]
