"""CloudFormation calls this for the custom resources of the template: at its end, the stack cannot go without it.

`Custom::LinkKeys` (`UserName`) stands for the access keys that the rotation has made: a user who has keys cannot be
deleted. `Custom::Contents` (`BucketName`, `SecretPrefix`, `RemovalPolicy`) stands for what is in the bucket and for the
tenants' secrets. To make or change either of them there is nothing to do.
"""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from reelhaul.aws import client
from tear_down import removal
from tear_down.reply import reply

_MARGIN_MS = 30_000  # for the page that is being deleted, with all its retries, and for the reply

logger = Logger(service="tear_down")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Do what `event` asks for and tell CloudFormation, which would wait for an hour if nobody told it anything."""
    kind, wanted = event["ResourceType"], event["RequestType"]
    try:
        removed = _delete(event, lambda: context.get_remaining_time_in_millis() > _MARGIN_MS)
    except Exception as error:  # whatever it is, the operator is waiting to hear of it
        logger.exception("tear_down_failed", resource_type=kind, request=wanted)
        reply(event, failure=f"{type(error).__name__}: {error}")
        return
    logger.info("tear_down_done", resource_type=kind, request=wanted, removed=removed)
    reply(event)


def _delete(event: dict[str, Any], has_time: Callable[[], bool]) -> int:
    """How many things were removed."""
    kind, properties = event["ResourceType"], event["ResourceProperties"]
    if event["RequestType"] != "Delete":
        return 0
    if kind == "Custom::LinkKeys":
        return removal.remove_keys(client("iam"), properties["UserName"])
    if kind != "Custom::Contents":
        raise ValueError(f"unknown resource type {kind!r}")
    # What was said last counts: an operator who has changed to "retain" keeps everything.
    if properties["RemovalPolicy"] != "destroy":
        return 0
    secrets = removal.remove_secrets(client("secretsmanager"), properties["SecretPrefix"])
    return secrets + removal.empty_bucket(client("s3"), properties["BucketName"], has_time=has_time)
