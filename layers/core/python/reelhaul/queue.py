"""The queue of jobs in SQS: the message, and how it is sent. A message only names a job; the table has the rest."""

import dataclasses
import json
from typing import Any

from reelhaul.aws import translated
from reelhaul.errors import MalformedMessage
from reelhaul.jobs import Job, is_id

MESSAGE_VERSION = 1
MAX_DELAY_S = 900  # what SQS allows


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobMessage:
    tenant: str
    job_id: str
    generation: int

    @classmethod
    def parse(cls, body: str) -> "JobMessage":
        """Raises `MalformedMessage` for anything that is not a message of a version we know."""
        try:
            fields = json.loads(body)
            message = cls(tenant=fields["tenant"], job_id=fields["job_id"], generation=fields["generation"])
            known = fields["version"] == MESSAGE_VERSION
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedMessage from error
        typed = (
            isinstance(message.tenant, str) and isinstance(message.job_id, str) and isinstance(message.generation, int)
        )
        if not (known and typed and message.tenant and is_id(message.job_id)):
            raise MalformedMessage
        return message

    def body(self) -> str:
        return json.dumps({"version": MESSAGE_VERSION, **dataclasses.asdict(self)})


class JobQueue:
    """`client` is a boto3 SQS client."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, job: Job, *, delay_s: float = 0) -> None:
        """Ask a worker to take `job`, not before `delay_s`. Raises `ServiceUnavailable`; the sweeper repairs that."""
        message = JobMessage(tenant=job.tenant, job_id=job.id, generation=job.generation)
        with translated():
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=message.body(),
                DelaySeconds=min(round(delay_s), MAX_DELAY_S),
                MessageGroupId=job.tenant,  # on a standard queue: a busy tenant does not hold up the others
            )

    def postpone(self, receipt_handle: str, after_s: int) -> None:
        """Let a message that is being handled come again after `after_s` seconds. Raises `ServiceUnavailable`."""
        with translated():
            self._client.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=after_s
            )
