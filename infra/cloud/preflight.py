"""What has to be there before anything is deployed, each looked at in the second that it takes.

The CDK's command line would find the same out, but some of it late and in many lines.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    SSOTokenLoadError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnection

from infra.local.processes import ROOT
from infra.settings import Settings, SettingsError

_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"  # where `cdk bootstrap` leaves its version, under the default qualifier
_BOOTSTRAP_LEAST = 30  # what templates of this aws-cdk-lib ask for
_DOCKER_S = 30
_OVER = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"}
_SSO = (SSOError, SSOTokenLoadError, TokenRetrievalError)


class NotReady(Exception):
    """Something is missing; the message is one sentence that says what to do."""


def check_settings(context: Mapping[str, str]) -> Settings:
    """The settings of `cdk.json` with `context` over them. Raises `NotReady`."""
    from_file: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    try:
        return Settings.from_context(from_file | dict(context))
    except SettingsError as error:
        raise NotReady(str(error)) from error


def check_docker() -> None:
    """The image can be built. `CDK_DOCKER` names another program, as for the CDK itself. Raises `NotReady`."""
    program = os.environ.get("CDK_DOCKER", "docker")
    if shutil.which(program) is None:
        raise NotReady(
            f"{program} is missing, and the worker's image is built with it: install Docker, or name a program "
            "that takes its place in CDK_DOCKER, such as podman or finch."
        )
    try:
        done = subprocess.run([program, "version"], capture_output=True, timeout=_DOCKER_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotReady(f"{program} does not answer: is its service running?") from error
    if done.returncode != 0:
        raise NotReady(f"{program} does not answer: start its service, and see whether `{program} version` succeeds.")


def check_session(region: str | None) -> str:
    """AWS knows who we are. The region that is deployed to. Raises `NotReady`."""
    try:
        session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))  # which boto3 does not read
        if session.region_name is None:
            raise NotReady("No region is named: set AWS_REGION.")
        _client(session, "sts").get_caller_identity()
    except ProfileNotFound as error:
        raise NotReady(f"{error}: AWS_PROFILE names none that there is.") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise NotReady("There are no AWS credentials: log in, or set AWS_PROFILE.") from error
    except _SSO as error:
        raise NotReady("The AWS session has expired: log in again, as with `aws sso login`.") from error
    except ClientError as error:
        raise NotReady(_refusal(error)) from error
    except (NoConnection, HTTPClientError) as error:
        raise NotReady(f"AWS cannot be reached: {error}") from error
    except BotoCoreError as error:
        raise NotReady(f"AWS cannot be asked: {error}") from error
    return str(session.region_name)


def check_bootstrapped(region: str) -> None:
    """The account has what the CDK puts assets into. Raises `NotReady`."""
    try:
        parameter = _client(boto3.Session(region_name=region), "ssm").get_parameter(Name=_BOOTSTRAP)["Parameter"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise NotReady(f"AWS: {error}") from error
        raise NotReady(f"The CDK is not set up in this account and region ({region}): run `make bootstrap`.") from error
    except BotoCoreError as error:
        raise NotReady(f"AWS cannot be asked: {error}") from error
    if int(parameter["Value"]) < _BOOTSTRAP_LEAST:
        raise NotReady(f"What the CDK set up in this region ({region}) is out of date: run `make bootstrap`.")


def _refusal(error: ClientError) -> str:
    code = error.response["Error"]["Code"]
    if code in _OVER:
        return "The AWS session has expired: log in again, or renew the keys in the environment."
    if code in _UNKNOWN:
        return "AWS does not know these credentials: log in again, or set others."
    return f"AWS: {error}"


def _client(session: boto3.Session, service: str) -> Any:
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 2})
    return session.client(service, config=config)  # type: ignore[call-overload]  # stubs: literal names only
