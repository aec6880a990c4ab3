"""What becomes known of a job's end: from the table's stream to a bus that others may listen to."""

import json

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from infra.jobs_table import JobsTable
from infra.queues import queue

# DynamoDB keeps a change for 24 hours. What is given up before can still be read there, by what the queue says of it.
_GIVEN_UP_AFTER_HOURS = 22
_BATCH_SIZE = 100
_OPEN, _ENDED = ["QUEUED", "RUNNING", "EXPANDED"], ["DONE", "FAILED", "CANCELLED"]


class Announcements(Construct):
    """The bus is named after the stack. `dead_letters` gets a note of every change that could not be announced."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.bus = events.EventBus(self, "Bus", event_bus_name=Stack.of(self).stack_name)
        self.dead_letters = queue(self, "DeadLetters", retention_days=14)

    def announce_with(self, function: lambda_.Function, *, of: JobsTable) -> None:
        """Have `function` called with each change of the table that ends or removes a job, and grant what that takes.

        From the beginning of the stream, in order, until it succeeds: a change is repeated, and all that come after it
        in its shard wait, for as long as the function reports it as failed.
        """
        of.grant_read_changes(function)
        lambda_.EventSourceMapping(
            self,
            "Changes",
            target=function,
            event_source_arn=of.table.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=_BATCH_SIZE,
            filters=[{"pattern": json.dumps(pattern)} for pattern in _wanted()],
            bisect_batch_on_error=True,
            max_batching_window=Duration.seconds(1),  # many items of a playlist that end at once are counted once
            report_batch_item_failures=True,
            max_record_age=Duration.hours(_GIVEN_UP_AFTER_HOURS),
            on_failure=event_sources.SqsDlq(self.dead_letters),
        )


def _wanted() -> list[dict[str, object]]:
    """The patterns of which a change has to match one. Heartbeats, counters and the like cost no invocation.

    A job's end is the step from an open state to an ended one: each write is a change of its own, so none is skipped.
    """
    of_a_tenant = {"Keys": {"pk": {"S": [{"prefix": "TENANT#"}]}}}
    ended = of_a_tenant | {"OldImage": {"state": {"S": _OPEN}}, "NewImage": {"state": {"S": _ENDED}}}
    removed = of_a_tenant | {"OldImage": {"state": {"S": [{"exists": True}]}}}
    return [{"eventName": ["MODIFY"], "dynamodb": ended}, {"eventName": ["REMOVE"], "dynamodb": removed}]
