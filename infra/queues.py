"""What all our queues have in common."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def queue(
    scope: Construct,
    name: str,
    *,
    retention_days: int,
    visibility_s: int | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """A standard queue, encrypted, TLS only."""
    return sqs.Queue(
        scope,
        name,
        retention_period=Duration.days(retention_days),
        visibility_timeout=None if visibility_s is None else Duration.seconds(visibility_s),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        dead_letter_queue=dead_letter_queue,
    )
