"""The queue of jobs in SQS: the message, and how it is sent. A message only names a job; the table has the rest."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from reelhaul.aws import translated
from reelhaul.errors import MalformedMessage, NewerMessage, ServiceUnavailable
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
        """Raises `NewerMessage` for one of a later version, `MalformedMessage` for anything else that is not ours."""
        fields = _fields(body)
        version = fields.get("version")
        if type(version) is int and version > MESSAGE_VERSION:
            raise NewerMessage
        message = cls._named(fields)
        if version != MESSAGE_VERSION or message is None:
            raise MalformedMessage
        return message

    @classmethod
    def named(cls, body: str) -> "JobMessage | None":
        """The job that a malformed message is about, if it can be told. What a later version means cannot."""
        try:
            return cls.parse(body)
        except NewerMessage:
            return None
        except MalformedMessage:
            with suppress(MalformedMessage):
                return cls._named(_fields(body))
            return None

    @classmethod
    def _named(cls, fields: Mapping[str, Any]) -> "JobMessage | None":
        tenant, job_id, generation = (fields.get(name) for name in ("tenant", "job_id", "generation"))
        if not (isinstance(tenant, str) and tenant and isinstance(job_id, str) and is_id(job_id)):
            return None
        if type(generation) is not int:
            return None
        untried_only = fields.get("untried_only", False) is True
        return cls(tenant=tenant, job_id=job_id, generation=generation, untried_only=untried_only)

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


def _fields(body: str) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage from error
    if not isinstance(fields, dict):
        raise MalformedMessage
    return fields


def _entry(job: Job, *, untried_only: bool = False) -> dict[str, str]:
    message = JobMessage(tenant=job.tenant, job_id=job.id, generation=job.generation, untried_only=untried_only)
    # A group on a standard queue makes it a fair one: a busy tenant does not hold up the others.
    return {"MessageBody": message.body(), "MessageGroupId": job.tenant}
