"""Webhooks: the queue of deliveries that are due, the one for messages given up, and what they are signed with."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.queues import queue

TIMEOUT_S = 30  # a target has 15 s to answer
_MAX_RECEIVES = 5  # for a function that dies; a target that fails is called again by a message of its own


class Webhooks(Construct):
    """A message stands for one delivery, and waits in the queue until the next attempt is due."""

    def __init__(self, scope: Construct, name: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self.dead_letters = queue(self, "DeadLetters", retention_days=14)
        self.queue = queue(
            self,
            "Queue",
            retention_days=4,
            visibility_s=6 * TIMEOUT_S,  # as AWS advises
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_MAX_RECEIVES),
        )
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="What the tenants' webhook secrets are derived from",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=removal,  # another one would make the receivers refuse what they get
        )

    def deliver_with(self, function: lambda_.Function, *, max_concurrency: int) -> None:
        """Run `function` for each message, at most `max_concurrency` at the same time. Grants what that takes."""
        function.add_event_source(
            event_sources.SqsEventSource(
                self.queue, batch_size=1, max_concurrency=max_concurrency, report_batch_item_failures=True
            )
        )
