"""The webhook queue: each message is one attempt to tell a job's owner that it has ended."""

import functools
import os
from typing import Any

from aws_lambda_powertools import Logger

from deliver_webhooks.courier import Courier
from deliver_webhooks.post import Poster
from deliver_webhooks.settings import DeliverySettings
from reelhaul.aws import client
from reelhaul.errors import MalformedMessage, ServiceUnavailable
from reelhaul.links import signer_of
from reelhaul.store import JobStore
from reelhaul.webhooks import WebhookMessage, WebhookQueue
from reelhaul.webhooks.signing import WebhookSecrets

logger = Logger(service="deliver_webhooks")


@functools.cache
def dependencies() -> Courier:
    settings = DeliverySettings.from_env(os.environ)
    secrets = client("secretsmanager")
    return Courier(
        store=JobStore(client("dynamodb"), settings.table_name),
        queue=WebhookQueue(client("sqs"), settings.webhook_queue_url),
        links=signer_of(settings, secrets),
        secrets=WebhookSecrets(secrets, settings.webhook_secret_arn),
        poster=Poster(allowed_origins=settings.allowed_origins),
        logger=logger,
    )


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle an SQS event; what it reports as failed comes again, and after some times becomes a dead letter."""
    failed = [record["messageId"] for record in event["Records"] if not _is_settled(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_settled(record: dict[str, Any]) -> bool:
    try:
        message = WebhookMessage.parse(record["body"])
    except MalformedMessage:
        logger.exception("message_malformed", message_id=record["messageId"], size=len(record["body"]))
        return False
    with logger.append_context_keys(job_id=message.job_id, tenant=message.tenant):
        try:
            dependencies().run(message)
        except ServiceUnavailable:
            logger.exception("message_postponed", message_id=record["messageId"])
            return False
    return True
