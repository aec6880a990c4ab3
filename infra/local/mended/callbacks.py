"""How a custom resource of CloudFormation answers.

On AWS the answer is a PUT to a presigned URL of S3. ministack 1.5.33 hands out one of its own instead, of a host and
port that it believes to have, with a token in it that nobody can guess and that is good for one answer.
"""
# ruff: noqa: SLF001 - who mends the engine has to reach into it

import os
from typing import Any

from ministack.services.cloudformation import custom_resource

_PATH = "/_ministack/cfn-response/"


def install() -> None:
    """Name the address where the engine really listens."""
    custom_resource._gateway_url = lambda: os.environ["AWS_ENDPOINT_URL"]


def is_one(scope: dict[str, Any]) -> bool:
    """Whether a request is such an answer, which is not signed: the door must let it in."""
    return bool(scope["method"] == "PUT" and scope["path"].startswith(_PATH))
