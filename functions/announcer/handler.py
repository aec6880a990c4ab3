"""The table's stream: every job that ends is announced, on the bus and to its webhook."""

import functools
import os
from typing import Any

from aws_lambda_powertools import Logger

from announcer.announcing import Announcer, Bus
from announcer.settings import AnnouncerSettings
from reelhaul.aws import client
from reelhaul.measures import Measures
from reelhaul.store import JobStore
from reelhaul.webhooks import WebhookQueue

logger = Logger(service="announcer")


@functools.cache
def dependencies() -> Announcer:
    settings = AnnouncerSettings.from_env(os.environ)
    return Announcer(
        store=JobStore(client("dynamodb"), settings.table_name),
        bus=Bus(client("events"), settings.bus_name),
        queue=WebhookQueue(client("sqs"), settings.webhook_queue_url),
        measures=Measures(settings.stack_name),
        logger=logger,
    )


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of the stream; from the record that it reports as failed on, everything comes again."""
    failed = dependencies().run(event["Records"])
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}
