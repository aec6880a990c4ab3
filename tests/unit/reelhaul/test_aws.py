"""How AWS is reached."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, UnknownServiceError

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
