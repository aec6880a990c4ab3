"""Every minute: mend what a crash, a lost message or a deleted job has left behind."""

import functools
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from reelhaul.aws import client
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobQueue
from reelhaul.store import JobStore
from reelhaul.webhooks import WebhookQueue
from sweeper.settings import SweeperSettings
from sweeper.sweep import Sweeper

_MARGIN_MS = 10_000  # one item with all its retries against a slow AWS; the rest waits for the next minute

logger = Logger(service="sweeper")


@functools.cache
def dependencies() -> Sweeper:
    settings = SweeperSettings.from_env(os.environ)
    return Sweeper(
        store=JobStore(client("dynamodb"), settings.table_name),
        queue=JobQueue(client("sqs"), settings.queue_url),
        bucket=MediaBucket(client("s3"), settings.bucket_name),
        announce=WebhookQueue(client("sqs"), settings.webhook_queue_url).send,
        logger=logger,
    )


def lambda_handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    done = dependencies().run(has_time=lambda: context.get_remaining_time_in_millis() > _MARGIN_MS)
    if done:
        logger.info("sweep_done", done=done)
    return done
