"""Secrets Manager calls this, step by step, to replace the key that links are signed with."""

import functools
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from reelhaul.aws import client, s3_as
from rotate_link_key.rotation import Rotation
from rotate_link_key.settings import RotationSettings

_MARGIN_MS = 5_000

logger = Logger(service="rotate_link_key")


@functools.cache
def dependencies() -> Rotation:
    settings = RotationSettings.from_env(os.environ)
    return Rotation(
        secrets=client("secretsmanager"),
        iam=client("iam"),
        s3_for=lambda key: s3_as(key.id, key.secret),
        user=settings.link_user_name,
        bucket=settings.bucket_name,
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    secret_id, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    rotation = dependencies()
    if step == "createSecret":
        key_id = rotation.create(secret_id, token)
        logger.info("link_key_created", key_id=key_id)
    elif step == "setSecret":
        pass  # IAM made the key: there is nobody else to tell
    elif step == "testSecret":
        rotation.test(secret_id, token, has_time=lambda: context.get_remaining_time_in_millis() > _MARGIN_MS)
    elif step == "finishSecret":
        rotation.finish(secret_id, token)
        logger.info("link_key_replaced")
    else:
        raise ValueError(f"unknown step {step!r}")
