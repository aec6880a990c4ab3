"""The queue of webhooks in SQS. A message stands for the next attempt to deliver one event."""

import dataclasses
import json
import math
from typing import Any

from reelhaul.aws import translated
from reelhaul.contracts.replies import Body, dumps
from reelhaul.errors import MalformedMessage
from reelhaul.ids import event_id, is_id
from reelhaul.jobs import Delivery, Job
from reelhaul.queue import MAX_DELAY_S
from reelhaul.webhooks import events

MESSAGE_VERSION = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    """What happened to which job, and where that is to be told.

    It carries all that is needed, the job as it was (`snapshot`) too: a job may have been deleted or retried since.
    `attempts` counts those made before this one. Times are seconds since the epoch.
    """

    tenant: str
    job_id: str
    generation: int
    event_id: str
    type: str
    occurred_at: float
    callback_url: str
    snapshot: Body
    attempts: int
    not_before: float

    @classmethod
    def about(cls, job: Job) -> "WebhookMessage":
        """The next attempt to tell of the end of `job`. Raises `ValueError` if it has not ended or tells nobody."""
        if job.callback_url is None:
            raise ValueError("nobody is to be told of this job")
        webhook = job.webhook or Delivery(event_id=event_id(job))
        return cls(
            tenant=job.tenant,
            job_id=job.id,
            generation=job.generation,
            event_id=webhook.event_id,
            type=events.event_type(job),
            occurred_at=events.occurred_at(job),
            callback_url=job.callback_url,
            snapshot=events.snapshot(job),
            attempts=webhook.attempts,
            not_before=0.0,  # at once, however far apart the clocks of those are who write jobs and send messages
        )

    @classmethod
    def parse(cls, body: str) -> "WebhookMessage":
        """Raises `MalformedMessage` for anything that is not a message of a version we know.

        What a later version added within it is ignored.
        """
        try:
            fields = json.loads(body)
            version = fields["version"]
            message = cls(**{field.name: fields[field.name] for field in dataclasses.fields(cls)})
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise MalformedMessage from error
        if version != MESSAGE_VERSION or not message._is_typed() or not is_id(message.job_id):
            raise MalformedMessage
        return message

    def _is_typed(self) -> bool:
        texts = (self.tenant, self.job_id, self.event_id, self.type, self.callback_url)
        numbers = (self.generation, self.attempts)
        times = (self.occurred_at, self.not_before)
        return (
            all(isinstance(text, str) and text for text in texts)
            and all(type(number) is int and number >= 0 for number in numbers)
            and all(isinstance(time, int | float) for time in times)
            and isinstance(self.snapshot, dict)
        )

    def body(self) -> str:
        return dumps({"version": MESSAGE_VERSION, **dataclasses.asdict(self)})

    def after(self, delivery: Delivery) -> "WebhookMessage":
        """The message for the attempt that follows, as `delivery` has it."""
        not_before = delivery.next_attempt_at or 0.0
        return dataclasses.replace(self, attempts=delivery.attempts, not_before=not_before)


class WebhookQueue:
    """`client` is a boto3 SQS client."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, job: Job) -> None:
        """Have the callback told of the end of `job` at once. Raises `ServiceUnavailable`; the sweeper repairs that."""
        self._send(WebhookMessage.about(job), delay_s=0)

    def send_later(self, message: WebhookMessage, *, now: float) -> None:
        """Have `message` come when it is due, or as late as SQS allows, to be sent on. Raises `ServiceUnavailable`."""
        self._send(message, delay_s=min(max(0, math.ceil(message.not_before - now)), MAX_DELAY_S))

    def _send(self, message: WebhookMessage, *, delay_s: int) -> None:
        with translated():
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=message.body(),
                DelaySeconds=delay_s,
                MessageGroupId=message.tenant,  # as for jobs: a busy tenant does not hold up the others
            )
