"""The queue of jobs in SQS: the message, and how it is sent. A message only names a job; the table has the rest."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from reelhaul.aws import translated
from reelhaul.errors import MalformedMessage, ServiceUnavailable
from reelhaul.ids import is_id
from reelhaul.jobs import Job

MESSAGE_VERSION = 1
MAX_DELAY_S = 900  # what SQS allows
MAX_BATCH = 10  # likewise


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobMessage:
    """`untried_only`: it is for a job that no worker has tried yet, and void for one that waits to be tried again."""

    tenant: str
    job_id: str
    generation: int
    untried_only: bool = False

    @classmethod
    def parse(cls, body: str) -> "JobMessage":
        """Raises `MalformedMessage` for anything that is not a message of a version we know."""
        try:
            fields = json.loads(body)
            message = cls(
                tenant=fields["tenant"], job_id=fields["job_id"], generation=fields["generation"],
                untried_only=fields.get("untried_only", False) is True,
            )  # fmt: skip
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

    def send(self, job: Job, *, delay_s: float = 0, untried_only: bool = False) -> None:
        """Ask a worker to take `job`, not before `delay_s`, see `JobMessage`. Raises `ServiceUnavailable`."""
        with translated():
            self._client.send_message(
                QueueUrl=self._queue_url,
                **_entry(job, untried_only=untried_only),
                DelaySeconds=min(round(delay_s), MAX_DELAY_S),
            )

    def send_batch(self, batch: Sequence[Job]) -> None:
        """The same for up to `MAX_BATCH` jobs in one call. Raises `ServiceUnavailable` if any was not sent."""
        entries = [{"Id": str(number), **_entry(job)} for number, job in enumerate(batch)]
        with translated():
            reply = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        if reply.get("Failed"):
            raise ServiceUnavailable

    def postpone(self, receipt_handle: str, after_s: int) -> None:
        """Let a message that is being handled come again after `after_s` seconds. Raises `ServiceUnavailable`."""
        with translated():
            self._client.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=after_s
            )


def _entry(job: Job, *, untried_only: bool = False) -> dict[str, str]:
    message = JobMessage(tenant=job.tenant, job_id=job.id, generation=job.generation, untried_only=untried_only)
    # A group on a standard queue makes it a fair one: a busy tenant does not hold up the others.
    return {"MessageBody": message.body(), "MessageGroupId": job.tenant}
