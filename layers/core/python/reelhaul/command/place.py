"""Where a deployment is: a stack in the account of one's AWS credentials, or that of a service on this machine."""

import argparse
from collections.abc import Callable
from typing import Any

import boto3

_LOCAL_STACK = "Reelhaul-local"


class Place:
    """The deployment that `--local` or `--stack` names, with its `outputs`. Raises what boto3 raises."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.client = self.access(options)
        self.stack = _LOCAL_STACK if options.local else options.stack
        found = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        self.status: str = found["StackStatus"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    @staticmethod
    def access(options: argparse.Namespace) -> Callable[[str], Any]:
        """What makes boto3 clients of a service there, by its name."""
        given: dict[str, Any] = {"region_name": options.operator.aws_region}
        if options.local:
            given = {
                "endpoint_url": options.local, "region_name": "us-east-1", "aws_access_key_id": "test",
                "aws_secret_access_key": "test",
            }  # fmt: skip
        return lambda service: boto3.client(service, **given)  # type: ignore[call-overload]  # stubs: literals only
